"""What `make help` says."""

USAGE = """\
Several Django Channels replicas behind nginx, on this machine.

  make up        start the fleet, or heal it: Redis, 3 replicas, nginx. In containers when an engine answers, as plain
                 processes otherwise; the first time it builds or installs what is missing.
                 Then open http://localhost:8080/ in two windows and chat with yourself across replicas.
  make status    every process: id, uptime, connections, memory, ready
  make logs      follow what they say (NAME=web-1 for one of them; Ctrl-C ends it)
  make scale     change the number of replicas: make scale REPLICAS=5. No connection of a replica that stays is cut
  make restart   one replica after the other, each drained first; takes over new code and changed variables
  make down      stop everything; the data stays. DATA=drop takes it too, after a question (YES=1 answers it)

  make prove     proof that nothing is lost from any replica to any other, and that the proof can fail: 40 seconds
  make load      the same under your own load: make load USERS=2000 RATE=20 DURATION=60
                 (ARGS="--chaos restart,redis-kill,reload" breaks things meanwhile; loadtest/README.md has the rest)
  make chaos     break something now: WHAT=restart, redis-kill (every connection of Redis) or reload (nginx)

  make test      all tests, on a fleet of their own beside a running one (ARGS="-k chat" for some of them)
  make soak      the tests that break Redis and replicas, 20 times over (REPEAT=5 ARGS="-k failover" for less)
  make bench     what a client costs, beside stock Channels, as a table, JSON and plots in .run/bench/: some ten minutes
                 (ARGS="--only delivery" for a part of it; loadtest/README.md says how to read it)
  make check     lint, types, import rules, the nginx configuration
  make lock      renew requirements.txt and requirements-dev.txt from pyproject.toml
  make help      this

Values, given as in `make up REPLICAS=5 PORT=8081`; what is not given stays as it is, or is the default. Given empty,
BIND= and TRUSTED_PROXIES= are the default again:

  REPLICAS=3          replicas, at most as many as SLOTS
  PORT=8080           port of nginx
  BIND=127.0.0.1,::1  addresses of nginx. To let other machines in: BIND=0.0.0.0, and name your host
                      in FANOUT_ALLOWED_HOSTS
  TRUSTED_PROXIES=    proxies in front whose X-Forwarded-For is believed: 10.0.0.0/8,192.0.2.7. Default: none
  TLS_PORT=           a port for TLS and HTTP/2 beside PORT, for example 8443, with TLS_CERTIFICATE=fullchain.pem and
                      TLS_KEY=privkey.pem. Default: none; TLS_PORT=0 ends it again
  SLOTS=16            places nginx keeps for replicas
  REPEAT=20           rounds of `make soak`
  USERS=300           clients of `make load`; RATE=20: publications a second, of all together;
                      DURATION=30: seconds for which they flow
  WHAT=               what `make chaos` is to do
  MODE=               native: plain processes on this host. compose: containers (deploy/README.md)
  COMPOSE=            which Compose: "docker compose" (the default, where it is) or docker-compose
  RUN_DIR=.run        folder for sockets, process ids, logs and data; another folder and PORT is another fleet
  ENV_FILE=.env       file with FANOUT_… variables; the shell's own win over it
  PYTHON=python3      the Python that makes .venv

The FANOUT_… variables configure the application: .env.example explains each.
"""
