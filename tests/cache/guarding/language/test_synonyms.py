"""Synonyms: none of opposites."""

import pytest

from gateway.cache.guarding.language.function_words import ASKING
from gateway.cache.guarding.language.lists import lines, words
from gateway.cache.guarding.language.stems import stem
from gateway.cache.guarding.language.synonyms import meanings

OPPOSITES = """
accept reject|add remove|add subtract|advantage disadvantage|agree disagree|alive dead|allow forbid|always never
ancient modern|arrive depart|ask answer|asleep awake|attack defend|back front|begin end|best worst|big small
birth death|borrow lend|bottom top|brave cowardly|bright dim|build destroy|buy sell|cheap expensive|clean dirty
client server|close open|cold hot|come go|compress extract|connect disconnect|cool warm|correct incorrect
create delete|cruel kind|dark light|day night|debit credit|decode encode|decrease increase|decrypt encrypt
deep shallow|deposit withdraw|difficult easy|disable enable|divide multiply|download upload|dry wet|early late
east west|employee employer|empty full|enter exit|even odd|export import|external internal|fail succeed|false true
far near|fast slow|fat thin|female male|fill empty|find lose|first last|float sink|follow lead|follow unfollow
forget remember|formal informal|found lost|freeze melt|friend enemy|gain lose|get give|good bad|guilty innocent
happy sad|hard soft|head tail|heavy light|hide show|high low|hire fire|husband wife|in out|include exclude
indoor outdoor|inner outer|input output|inside outside|install uninstall|join leave|junior senior|land takeoff
landlord tenant|large small|laugh cry|left right|legal illegal|lock unlock|long short|loose tight|loud quiet|love hate
lower raise|major minor|maximum minimum|more less|most least|mother father|mount unmount|mute unmute|narrow wide
new old|next previous|noisy quiet|north south|oldest newest|on off|optional mandatory|over under|parent child
past future|permanent temporary|plus minus|polite rude|poor rich|positive negative|pros cons|public private|pull push
push pop|question answer|raw cooked|rise fall|rough smooth|safe dangerous|save spend|send receive|sharp blunt
single married|sister brother|sit stand|start stop|strong weak|student teacher|sunrise sunset|supply demand|sweet sour
tall short|thick thin|uncle aunt|up down|update downgrade|upgrade downgrade|urban rural|useful useless
vertical horizontal|victory defeat|visible invisible|wake sleep|wealthy poor|win lose|winter summer|young old
zip unzip
"""
PAIRS = [tuple(pair.split()) for line in OPPOSITES.strip().splitlines() for pair in line.split("|")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_opposites_have_no_meaning_in_common(one: str, other: str) -> None:
    """Nor are both of them words that may be missing."""
    assert set(meanings(one)).isdisjoint(meanings(other))
    for passed_over in (ASKING, words("circumstances")):
        stems = {stem(word) for word in passed_over}
        assert not {stem(one), stem(other)} <= stems


def test_every_group_has_two_words_and_stands_once() -> None:
    """In the order of the alphabet."""
    groups = lines("synonyms")
    assert [line for line in groups if len(line.split()) < 2] == []
    assert sorted(set(groups)) == list(groups)


def test_synonyms_are_no_chain() -> None:
    """A word of two senses does not make its neighbours one."""
    assert not set(meanings("start")).isdisjoint(meanings("launch"))
    assert not set(meanings("start")).isdisjoint(meanings("begin"))
    assert set(meanings("launch")).isdisjoint(meanings("begin"))
