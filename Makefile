# One verb a target; what each does stands in deploy/fleet/. `make` alone explains the verbs and their values.

PYTHON ?= python3
# Some shells set NAME to the host's: only one given to make counts.
NAME =
export REPLICAS PORT MODE BIND TRUSTED_PROXIES SLOTS RUN_DIR ENV_FILE NAME FOLLOW ARGS REPEAT USERS RATE DURATION WHAT TLS_PORT TLS_CERTIFICATE TLS_KEY DATA YES COMPOSE

.PHONY: help up down status logs scale restart prove load chaos test soak bench check lock
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

prove: ## nothing is lost, and the proof can fail
	$(FLEET) prove

load: ## the proof under your own load
	$(FLEET) load

chaos: ## break something on purpose
	$(FLEET) chaos

test: ## all tests
	$(FLEET) test

soak: ## the fault tests again and again
	$(FLEET) soak

bench: ## what a client costs, beside stock Channels
	$(FLEET) bench

check: ## lint, types, import rules, nginx
	$(FLEET) check

lock: ## renew the lock files
	$(FLEET) lock
