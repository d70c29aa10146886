"""The slot of routes: one module is one family of pages or operations; each has a ROUTER."""
