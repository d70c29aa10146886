#!/bin/sh
# Hands the secrets that deploy/make-secrets.sh made to a cluster: one Secret per service, with nothing of the others in it.
#   sh deploy/make-secrets.sh && sh deploy/k8s/make-secrets.sh
set -eu
folder=${1:-$(dirname "$0")/../secrets}
namespace=${QM_NAMESPACE:-quantmatrix}

hand() { # name key=file ...
  name=$1
  shift
  arguments=""
  for pair in "$@"; do arguments="$arguments --from-file=${pair%%=*}=$folder/${pair#*=}"; done
  # shellcheck disable=SC2086
  kubectl create secret generic "$name" -n "$namespace" $arguments --dry-run=client -o yaml | kubectl apply -f -
}

for service in market signals execution portfolio notify gateway; do
  extra=""
  case $service in
    execution) extra="paper_database_url=paper_database_url" ;;
    gateway) extra="admin_password=gateway_admin_password" ;;
  esac
  # shellcheck disable=SC2086
  hand "quantmatrix-$service" "nats_password=nats_${service}_password" "database_url=${service}_database_url" $extra
done
# shellcheck disable=SC2046
hand quantmatrix-prepare database_superuser_url=database_superuser_url paper_database_url=paper_database_url \
  nats_provision_password=nats_provision_password \
  $(for service in market signals execution portfolio notify gateway; do echo "${service}_database_url=${service}_database_url"; done)
# shellcheck disable=SC2046
hand quantmatrix-nats $(for user in market signals execution portfolio notify gateway worker provision operator system; do
  echo "nats_${user}_password=nats_${user}_password"; done)
hand quantmatrix-worker nats_worker_password=nats_worker_password
hand quantmatrix-postgres postgres_password=postgres_password
