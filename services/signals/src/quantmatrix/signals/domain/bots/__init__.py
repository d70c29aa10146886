"""Bots: weighted signals, how hot they are, how long they must hold, and every gate between a score and an order. All of it pure."""
