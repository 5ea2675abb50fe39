"""From what all processes know to the verdict. Pure: no clock, no socket."""
