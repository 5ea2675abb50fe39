#!/bin/sh
# The stand-in's part of what docker.io/postgres does at its start: make a cluster once, then become the server.
# Knows POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE and POSTGRES_INITDB_ARGS, and no more.
set -eu

data=${PGDATA:=/var/lib/postgresql/data}
export PGDATA
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

if [ "${1:-postgres}" = postgres ] && [ ! -s "$data/PG_VERSION" ]; then
    # shellcheck disable=SC2086 # several arguments are meant
    initdb --username="$user" --pwfile="$POSTGRES_PASSWORD_FILE" ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$data/postgresql.conf"
    # Without the network: nobody meets a server that is not finished.
    PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    export PGPASSWORD
    pg_ctl --options="-c listen_addresses=''" --wait start
    [ "$database" = postgres ] || createdb --username="$user" "$database"
    pg_ctl --mode=fast --wait stop
    unset PGPASSWORD
fi
[ $# -gt 0 ] || set -- postgres
exec "$@"
