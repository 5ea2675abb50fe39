"""The game: an arena in which players on any replica collect gems.

Nobody runs it. Where a player is: the replica that holds its socket checks each step and publishes it, latest value by
player (`game.<arena>`, ephemeral). Where the gems are: drawn from the number of the round, so every replica knows
without asking. Who got a gem: the replica of the player that touches it appends a claim to `gems.<arena>` (durable)
with the gem's number as idempotency key; Redis takes the first claim of a key and refuses every other one, so a gem
has one owner, however many replicas claim it in the same millisecond. What the score is: the sum of the claims in the
stream; every page adds it up, and it survives any replica, because none keeps it.

Not covered: replicas whose clocks disagree begin a round apart by as much (a claim names its round, so no gem counts
twice); a player with several tickets is several players; a bot is not told from a person.
"""
