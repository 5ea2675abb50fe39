"""Which bytes are a change to a text, and which are not."""

import os
import subprocess
import sys

import pytest
from pycrdt import Array, Doc, Map, XmlFragment, merge_updates

from demos.document.update import EMPTY, NotText, read, state_of

from .edits import Writer, scribbles

CLIENT = 7


def number(value):
    """A variable-length integer."""
    made = b""
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])


def string(text):
    encoded = text if isinstance(text, bytes) else text.encode()
    return number(len(encoded)) + encoded


def update(info=4, content=None, *, root="text", clock=0, behind=b"\0"):
    """An update of one struct in the text."""
    content = string("hi") if content is None else content
    return b"".join(
        [number(1), number(1), number(CLIENT), number(clock), bytes([info]), number(1), string(root), content, behind]
    )


def ends(update):
    """One behind the last clock of each client."""
    return {client: structs[-1].end for client, structs in read(update).structs.items()}


def test_it_reads_which_clocks_are_written_and_deleted():
    """UTF-16 units count; what is deleted counts apart."""
    writer = Writer()
    (client,) = ends(writer.write("a𝄞é"))
    assert ends(writer.said[0]) == {client: 4}
    writer.remove(0, 1)
    assert read(writer.said[1]).deleted == {client: 1}
    assert ends(writer.doc.get_update()) == {client: 4} == state_of(writer.doc.get_state())
    assert (read(EMPTY).structs, read(EMPTY).deleted) == ({}, {})


def test_it_reads_all_that_writers_write():
    """Each change of many, and all of them merged."""
    said, _ = scribbles(300)
    (client,) = ends(merge_updates(*said))
    assert max(ends(each).get(client, 0) for each in said) == ends(merge_updates(*said))[client]


def test_it_knows_whether_a_change_has_what_it_needs():
    """The one before it of the same writer, those of others that it stands between, what it deletes."""
    ada, bob = Writer(), Writer()
    first, second = ada.write("one "), ada.write("two ")
    bob.hear(first, second)
    between = bob.write("and ", 4)
    gone = bob.remove(4, 12)
    (a,), (b,) = ends(first), ends(between)
    assert read(second).after({}) is None
    assert read(second).after({a: 4}) == {a: 8}
    assert read(merge_updates(first, second)).after({}) == {a: 8}
    assert read(between).after({a: 4}) is None
    assert read(between).after({a: 8, 5: 1}) == {a: 8, 5: 1, b: 4}
    assert read(gone).after({a: 8}) is None
    assert read(gone).after({a: 8, b: 4}) == {a: 8, b: 4}
    assert read(merge_updates(first, second, between, gone)).after({}) == {a: 8, b: 4}
    left_out = merge_updates(first, ada.write("three "))
    assert read(left_out).after({}) is None
    assert read(left_out).after({a: 8}) == {a: 14}


@pytest.mark.parametrize("made", [Array, Map, XmlFragment])
def test_other_types_are_refused(made):
    """A document has one text and nothing else."""
    said = []
    doc = Doc()
    observing = doc.observe(lambda event: said.append(event.update))
    thing = doc.get("text" if made is Array else "thing", type=made)
    if made is Array:
        thing.append([1])
    elif made is Map:
        thing["a"] = "b"
    else:
        from pycrdt import XmlElement

        thing.children.append(XmlElement("p"))
    with pytest.raises(NotText):
        read(said[0])
    del observing


def test_formats_and_embedded_things_are_refused():
    """The page's text is plain."""
    writer = Writer()
    writer.write("bold")
    writer.text.format(0, 2, {"bold": True})
    writer.text.insert_embed(0, {"image": "x"})
    for each in writer.said[1:]:
        with pytest.raises(NotText, match="something else than text"):
            read(each)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"", "middle"),
        (update()[:-2], "middle"),
        (update() + b"\0", "behind its end"),
        (update(root="other"), "'other'"),
        (update(content=string("a\r\nb")), "carriage return"),
        (update(content=string(b"\xff\xfe")), "UTF-8"),
        (update(content=string("")), "empty"),
        (update(content=b"\xff" * 9 + b"\1"), "too large"),
        (update(content=b"\x80" * 20 + b"\0"), "too long"),
        (update(clock=2**31), "too large"),
        (update(clock=2**31 - 2), "too much"),
        (update(info=0x84, content=number(CLIENT) + number(0) + string("x")), "something else|comes later|middle"),
        (update(info=8), "something else than text"),
        (update(info=4 | 32), "something else than the text"),
        (update(behind=number(1) + number(CLIENT) + number(1) + number(2**31 - 1) + b"\t"), "nobody can have written"),
        (number(2**40), "middle"),
        (number(1) + number(2**40), "middle"),
    ],
)  # fmt: skip
def test_what_is_no_change_is_told_why(bad, why):
    """One sentence's worth of reason, whatever the bytes."""
    with pytest.raises(NotText, match=why):
        read(bad)


def test_nesting_that_ends_a_process_is_refused_before_it_is_decoded():
    """100,000 arrays within one another are too much for the stack of the Rust port; here they are a sentence."""
    bomb = update(info=8, content=number(1) + b"\x75\x01" * 100_000 + b"\x7e")
    decode = "import sys; from pycrdt import merge_updates; merge_updates(b'\\0\\0', sys.stdin.buffer.read())"
    done = subprocess.run([sys.executable, "-c", decode], input=bomb, capture_output=True, check=False, timeout=60)
    assert done.returncode < 0  # when this is no signal any more, the library has learned it
    with pytest.raises(NotText):
        read(bomb)


def test_noise_is_refused():
    """No bytes make it fail otherwise."""
    for length in range(200):
        noise = os.urandom(length)
        try:
            read(noise)
        except NotText:
            continue
