"""The reader of answers, wherever the bytes are cut."""

import pytest

from gateway.backends.answer import Answer
from gateway.backends.answer_reader import AnswerReader

ANSWERS = {
    "sized": b"HTTP/1.1 200 Very Well\r\nX-Empty:\r\nX-Padded:  a b \t\r\nContent-Length: 5\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 Very Well\r\nX-Empty: \r\nX-Padded: a b\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n",
    "after 103": b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    b"HTTP/1.1 200 Very Well\r\nX-Empty: \r\nX-Padded: a b \r\nContent-Length: 5\r\n\r\nhello",
}


def read(*parts: bytes) -> tuple[AnswerReader, Answer]:
    """Feed parts to a new reader."""
    reader = AnswerReader(65536)
    answer = Answer(None, {}, is_head=False)  # type: ignore[arg-type]
    reader.begin(answer)
    for part in parts:
        reader.feed(part)
    return reader, answer


def seen(answer: Answer) -> tuple[object, ...]:
    """What a caller would get."""
    return answer.status, answer.reason, answer.headers[:2], b"".join(answer.pieces)


EXPECTED = (200, b"Very Well", [(b"X-Empty", b""), (b"X-Padded", b"a b")], b"hello")


@pytest.mark.parametrize("name", ANSWERS)
def test_cut_anywhere(name):
    """For every place where the network may cut an answer in two, the same comes out."""
    answer = ANSWERS[name]
    for cut in range(len(answer)):
        reader, got = read(*[part for part in (answer[:cut], answer[cut:]) if part])
        assert seen(got) == EXPECTED, cut
        assert reader.done
        assert reader.reusable


@pytest.mark.parametrize("name", ANSWERS)
def test_cut_everywhere(name):
    """The same when every byte comes alone."""
    reader, got = read(*[bytes([byte]) for byte in ANSWERS[name]])
    assert seen(got) == EXPECTED
    assert reader.reusable


@pytest.mark.parametrize(
    "surplus", [b"HTTP/1.1 200 OK\r\n", b"garbage", b"0\r\n\r\n"], ids=["answer", "garbage", "chunk"]
)
def test_surplus(surplus):
    """What follows a whole answer unasked does not spoil it, but nothing can follow on this connection."""
    reader, got = read(ANSWERS["sized"] + surplus)
    assert seen(got) == EXPECTED
    assert reader.done
    assert not reader.reusable
