#!/bin/sh
# Makes the passwords of a deployment, once: one file per secret in the folder given (deploy/secrets unless told).
# Files that exist are kept. The folder is closed to others; the files themselves are readable, because a container runs
# under a user of its own and sees the file, not the folder.
set -eu
folder=${1:-$(dirname "$0")/secrets}
host=${QM_POSTGRES_HOST:-postgres}
umask 077
mkdir -p "$folder"

password() { printf 'p%s' "$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')"; }

keep() { # name value
  if [ ! -s "$folder/$1" ]; then
    printf '%s' "$2" > "$folder/$1"
    chmod 0444 "$folder/$1"
  fi
}

for user in market signals execution portfolio notify gateway worker provision operator system; do
  keep "nats_${user}_password" "$(password)"
done
for role in market signals execution portfolio notify gateway paper; do
  keep "${role}_database_url" "postgresql://qm_${role}:$(password)@${host}:5432/quantmatrix"
done
keep postgres_password "$(password)"
keep database_superuser_url "postgresql://postgres:$(cat "$folder/postgres_password")@${host}:5432/quantmatrix"
keep gateway_admin_password "$(password)"
keep grafana_admin_password "$(password)"
echo "secrets are in $folder; the console's first password is in $folder/gateway_admin_password"
