#!/usr/bin/env bash
# Builds stand-ins for the public base images from Debian's packages, under the same names: for a machine that has a
# mirror of Debian but no registry. deploy/README.md says when.
#   deploy/images/standins.sh                    those that the engine does not have
#   deploy/images/standins.sh --force            all, anew
#   deploy/images/standins.sh redis postgres     these
#   deploy/images/standins.sh prometheus redis-exporter nginx-exporter
#                                                those of the profile `observability`; Grafana is not in Debian
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mirror=${MIRROR:-}           # empty: mmdebstrap's default, with security updates
suite=bookworm               # Debian 12: Python 3.11, nginx 1.22, Redis 7.0, PostgreSQL 15
label=org.fanout.standin     # tells a stand-in from the image whose name it has
names=(python nginx redis postgres)
declare -A images packages finish settings

# Names and tags as in the Dockerfile and compose.yaml; a test holds them together.
images[python]=${PYTHON_IMAGE:-python:3.11-slim-bookworm}
images[nginx]=${NGINX_IMAGE:-nginx:1.26-bookworm}
images[redis]=${REDIS_IMAGE:-redis:7.2-bookworm}
images[postgres]=${POSTGRES_IMAGE:-postgres:15-bookworm}
images[prometheus]=${PROMETHEUS_IMAGE:-prom/prometheus:v2.53.4}
images[redis-exporter]=${REDIS_EXPORTER_IMAGE:-oliver006/redis_exporter:v1.69.0}
images[nginx-exporter]=${NGINX_EXPORTER_IMAGE:-nginx/nginx-prometheus-exporter:1.4.2}

packages[python]=python3,python3-venv,ca-certificates,libstdc++6
packages[nginx]=nginx,curl
packages[redis]=redis-server,redis-tools
packages[postgres]=postgresql-15
packages[prometheus]=prometheus
packages[redis-exporter]=prometheus-redis-exporter
packages[nginx-exporter]=prometheus-nginx-exporter

# Accounts and folders as the public images have them: 999 owns its data.
finish[python]=true
# shellcheck disable=SC2016 # $1 is the root that mmdebstrap hands to its hook
finish[nginx]='rm -rf "$1"/etc/nginx/sites-enabled "$1"/var/log/nginx/*'
# shellcheck disable=SC2016
finish[redis]='install -d -o 999 -g 999 "$1"/data'
# shellcheck disable=SC2016
finish[postgres]='
    chroot "$1" groupmod --gid 999 postgres
    chroot "$1" usermod --uid 999 --gid 999 postgres
    rm -rf "$1"/var/lib/postgresql "$1"/var/run/postgresql "$1"/etc/postgresql
    install -d -o 999 -g 999 "$1"/var/lib/postgresql
    install -d -o 999 -g 999 -m 3777 "$1"/run/postgresql
    install -d -o 999 -g 999 -m 700 "$1"/var/lib/postgresql/data
    install -m 755 '"$(printf %q "$here")"'/postgres-entrypoint.sh "$1"/usr/local/bin/docker-entrypoint.sh'

# shellcheck disable=SC2016
finish[prometheus]='install -d -o 65534 -g 65534 "$1"/prometheus'
finish[redis-exporter]=true
finish[nginx-exporter]=true

settings[python]='CMD ["python3"]'
settings[nginx]='CMD ["nginx"]'
settings[redis]='CMD ["redis-server"]'
settings[prometheus]='ENTRYPOINT ["prometheus"]'
settings[redis-exporter]='ENTRYPOINT ["prometheus-redis-exporter"]'
settings[nginx-exporter]='ENTRYPOINT ["prometheus-nginx-exporter"]'
settings[postgres]='ENTRYPOINT ["docker-entrypoint.sh"]'

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

build() {
    local name=$1 image=${images[$1]} path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin begin=$SECONDS
    [[ $name == postgres ]] && path=$path:/usr/lib/postgresql/15/bin
    # cleanup/run would take away folders in which servers keep their sockets
    mmdebstrap --quiet --variant=essential --skip=cleanup/run --include="${packages[$name]}" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --customize-hook="${finish[$name]}" \
        "$suite" - ${mirror:+"$mirror"} 2>"$work/$name.log" |
        docker import --change "ENV PATH=$path" --change "LABEL $label=debian-$suite" --change "${settings[$name]}" \
            - "$image" >/dev/null ||
        { tail -n 5 "$work/$name.log" >&2; die "$image could not be built; above is what mmdebstrap said."; }
    say "$image  $(docker image inspect --format '{{.Size}}' "$image" | numfmt --to=iec-i)B  $((SECONDS - begin)) s"
}

force=false wanted=()
for word in "$@"; do
    case $word in
        --force) force=true ;;
        --*) die "$word is no option: there is --force." ;;
        *)
            [[ -v images[$word] ]] || die "$word is no image of this stack: there are ${!images[*]}."
            wanted+=("$word")
            ;;
    esac
done
command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt-get install mmdebstrap."
docker version >/dev/null 2>&1 || die "No container engine answers: start it, or set DOCKER_HOST."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jobs=()
for name in "${wanted[@]:-${names[@]}}"; do
    if ! $force && docker image inspect "${images[$name]}" >/dev/null 2>&1; then
        say "${images[$name]}  is there"
        continue
    fi
    build "$name" &
    jobs+=($!)
    ((${#jobs[@]} % 2)) || wait "${jobs[-2]}" # two at a time: each is busy with one core
done
for job in "${jobs[@]}"; do wait "$job"; done
