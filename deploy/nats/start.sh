#!/bin/sh
# Starts nats-server with the passwords of its users read from files: /run/secrets/nats_<user>_password.
set -eu
for file in /run/secrets/nats_*_password; do
  user=$(basename "$file" | sed 's/^nats_//; s/_password$//' | tr '[:lower:]' '[:upper:]')
  export "QM_NATS_${user}_PASSWORD=$(cat "$file")"
done
exec nats-server --config /etc/nats/nats.conf
