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

  make doctor    what is wrong with this machine, nginx, the settings and Redis, why it hurts, what to type. It changes
                 nothing (ARGS="/etc/nginx/nginx.conf docker-compose.yml k8s/" for files of your own)
  make prove     proof that nothing is lost from any replica to any other, and that the proof can fail: 40 seconds
  make load      the same under your own load: make load USERS=2000 RATE=20 DURATION=60
                 (ARGS="--chaos restart,redis-kill,reload" breaks things meanwhile; loadtest/README.md has the rest)
  make chaos     break something now: WHAT=restart, redis-kill (every connection of Redis) or reload (nginx)

  make drill     the list of what can be rehearsed; make drill NAME=redis-down breaks a fleet of its own, waits for the
                 alert in a real Prometheus, follows the runbook's commands, and looks that all is well: a minute
  make drills    all of them, with a table of how long it took to detect and to recover (ARGS="redis-down nginx-down"
                 for some of them)

In a cluster, where kubectl is what starts and stops (deploy/kubernetes/README.md); MODE=k8s with status and prove:

  make images      build what k8s/ names, tagged by version and commit
  make k8s-load    give the images to a cluster on this machine: kind, k3d, minikube, containerd, or LOADER=command
  make k8s-doctor  what keeps the fleet from coming up in the cluster of kubectl's current context
  make test-k8s    bring it up, break everything in turn under the proof, upgrade, roll back: on a test cluster, some
                   20 minutes

  make test      the tests, on fleets of their own beside a running one, in some eight minutes (ARGS="-k chat" for some)
  make test-slow     those that take longer: whole outages, drills, restarts, most pages. Some twelve minutes
  make test-compose  the fleet in the containers of an engine, with both Composes. Some six minutes
  make soak      the tests that break Redis and replicas, 20 times over (REPEAT=5 ARGS="-k failover" for less)
  make fuzz      random bytes and frames at the parser, the protocol and a replica: some minutes (ARGS="-k replica")
  make bench     what a client costs, beside stock Channels, as a table, JSON and plots in .run/bench/: some ten minutes
                 (ARGS="--only delivery" for a part of it; loadtest/README.md says how to read it)
  make check     lint, types, import rules, nginx' configuration; known flaws, traps and secrets (SECURITY.md)
  make sbom      what the fleet is made of, as CycloneDX, in .run/sbom.json
  make lock      renew requirements.txt and requirements-dev.txt from pyproject.toml
  make release   what keeps this tree from being a release, or what to type; it changes nothing
  make help      this

Values, given as in `make up REPLICAS=5 PORT=8081`; what is not given stays as it is, or is the default. Given empty,
BIND= and TRUSTED_PROXIES= are the default again:

  REPLICAS=3          replicas, at most as many as SLOTS
  PORT=8080           port of nginx
  BIND=127.0.0.1,::1  addresses of nginx. To let other machines in: BIND=0.0.0.0, and name your host
                      in FANOUT_ALLOWED_HOSTS
  TRUSTED_PROXIES=    proxies in front whose X-Forwarded-For is believed: 10.0.0.0/8,192.0.2.7. Default: none
  TLS=                1: TLS and HTTP/2 on TLS_PORT (8443) are the only way in, plain HTTP is sent there. `make up`
                      makes and renews a certificate of the fleet's own authority, in RUN_DIR/tls; or give it yours:
                      TLS_CERTIFICATE=fullchain.pem TLS_KEY=privkey.pem. Default: none; TLS=0 ends it again
  TLS_PORT=           without TLS=1: TLS beside plain HTTP, with TLS_CERTIFICATE and TLS_KEY; TLS_PORT=0 ends it
  SLOTS=16            slots that nginx keeps for replicas
  REPEAT=20           rounds of `make soak`
  USERS=300           clients of `make load`, 60 of `make test-k8s`; RATE=20: publications a second, of all together;
                      DURATION=30: seconds for which they flow
  WHAT=               what `make chaos` is to do
  MODE=               native: plain processes on this host. compose: containers (deploy/README.md). k8s: the cluster of
                      kubectl's current context
  COMPOSE=            which Compose: "docker compose" (the default, where it is) or docker-compose
  RUN_DIR=.run        folder for sockets, process ids, logs and data; another folder and PORT is another fleet
  ENV_FILE=.env       file with FANOUT_… variables; the shell's own win over it
  PYTHON=python3      the Python that makes .venv

The FANOUT_… variables configure the application: .env.example explains each.
"""
