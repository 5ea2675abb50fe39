import logging

from fanout.sparse_log import SECONDS, SparseLog

logger = logging.getLogger(__name__)


def test_one_line_in_a_second_tells_how_many_were_left_out(caplog):
    """The first at once, then one a second at most; nothing is left out unsaid while they go on."""
    now = 100.0
    log = SparseLog(logger, lambda: now)
    for _ in range(1000):
        log.warning("no %s", "entry")
    now += SECONDS
    log.warning("no %s", "exit")
    now += SECONDS
    log.warning("100 %%")
    assert caplog.messages == ["no entry", "no exit (and 999 more like it)", "100 %%"]


def test_an_error_keeps_its_traceback(caplog):
    """As with `logger.exception`."""
    SparseLog(logger).warning("broken", error=ValueError("why"))
    assert "ValueError: why" in caplog.text
