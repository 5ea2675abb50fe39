# One verb a target; what each does stands in deploy/fleet/. `make` alone explains the verbs and their values.

PYTHON ?= python3
# Some shells set NAME to the host's: only one given to make counts.
NAME =
export REPLICAS PORT MODE BIND TRUSTED_PROXIES SLOTS RUN_DIR ENV_FILE NAME FOLLOW ARGS REPEAT USERS RATE DURATION WHAT TLS TLS_PORT TLS_CERTIFICATE TLS_KEY DATA YES COMPOSE LOADER

.PHONY: help up down status logs scale restart doctor prove load chaos drill drills images k8s-load k8s-doctor test-k8s test test-slow test-compose soak fuzz bench check sbom lock release
.DEFAULT_GOAL := help

# The names that were given to make, so that a misspelt one is told.
GIVEN = $(strip $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
FLEET = @MAKE_GIVEN='$(GIVEN)' PYTHONPATH=deploy $(PYTHON) -m fleet

help: ## what there is
	$(FLEET) help

up: ## start the fleet, or heal it
	$(FLEET) up

down: ## stop everything, keep the data
	$(FLEET) down

status: ## every process: id, uptime, connections, memory, ready
	$(FLEET) status

logs: ## follow what the processes say
	$(FLEET) logs

scale: ## change the number of replicas
	$(FLEET) scale

restart: ## one replica after the other, each drained first
	$(FLEET) restart

doctor: ## what is wrong, why it hurts, what to type
	$(FLEET) doctor

prove: ## nothing is lost, and the proof can fail
	$(FLEET) prove

load: ## the proof under your own load
	$(FLEET) load

chaos: ## break something on purpose
	$(FLEET) chaos

drill: ## rehearse an outage by its runbook
	$(FLEET) drill

drills: ## rehearse all of them
	$(FLEET) drills

images: ## build what k8s/ names
	$(FLEET) images

k8s-load: ## give the images to a cluster on this machine
	$(FLEET) k8s-load

k8s-doctor: ## what keeps the fleet from coming up in the cluster
	$(FLEET) k8s-doctor

test-k8s: ## break the fleet in a cluster, under the proof
	$(FLEET) test-k8s

test: ## all tests that take seconds
	$(FLEET) test

test-slow: ## those that take longer
	$(FLEET) test-slow

test-compose: ## the fleet in containers
	$(FLEET) test-compose

soak: ## the fault tests again and again
	$(FLEET) soak

fuzz: ## random bytes and frames, for some minutes
	$(FLEET) fuzz

bench: ## what a client costs, beside stock Channels
	$(FLEET) bench

check: ## lint, types, import rules, nginx, known flaws
	$(FLEET) check

sbom: ## what the fleet is made of
	$(FLEET) sbom

lock: ## renew the lock files
	$(FLEET) lock

release: ## whether this tree could be a release
	$(FLEET) release
