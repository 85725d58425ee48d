"""The closed classes of English, and the words with which people ask: what may differ without changing the question."""

from __future__ import annotations

from gateway.cache.guarding.language.lists import these

# Say nothing by themselves. Not here, though frequent: negations, numbers, and what limits (only, before, over).
EMPTY = these(
    """
    a an the this that these those such
    i me my mine myself we us our ours ourselves you your yours yourself he him his himself she her hers herself it its
    itself they them their theirs themselves
    am is are was were be been being do does did doing done have has had having
    can could may might shall should will would must ought
    to of in on at by for with from into onto upon as than via about regarding concerning per through throughout
    towards toward among between across along around within against
    and or but nor so if then else whether while whereas because since though although however therefore thus hence
    who whom whose which what when where why how whatever whichever whoever
    there here also too just even still yet already again really actually basically simply quite very rather pretty
    exactly precisely properly correctly ever always once currently presently now
    please kindly ok okay hi hello hey dear thank thanks thx ty cheers pls plz sorry bonjour
    let lets gonna wanna gotta etc eg ie
    up out one ones given
    """
)

# Words of asking: alone they change nothing, but they can stand for a synonym in the other prompt.
ASKING = these(
    """
    way method approach procedure process step guide guidance instruction tutorial walkthrough command syntax formula
    setting click press navigate
    get go make take use want need like wish try attempt look help know understand tell show provide explain
    describe define mean meaning definition term concept idea stand find find-out figure happen see let allow work ask
    say sound seem appear feel think believe
    thing stuff something anything someone somebody anyone anybody everything everyone people person
    following certain particular specific respective called named other another different together
    any some few all every each whole entire both many much several various lot lots plenty more most same
    typical typically usual usually normal normally general generally common commonly
    main major key important overall
    possible possibly able fine right correct proper suitable appropriate
    located location situated available existing exist contain
    reason cause question query information info detail problem issue trouble
    suppose supposed expect involve consist
    set stay remain become turn
    good amount number during within quantity total
    sort kind type
    """
)

# At the head of a sentence these only ask; elsewhere (`in a list`, `who wrote`) they say what is asked for.
COMMANDS = these(
    """
    list write draft create compose generate produce prepare name suggest recommend propose outline state present
    give show tell explain describe provide display print build make say
    """
)

NEGATIONS = these(
    """
    not no never none nobody nothing nowhere neither nor cannot without unable fail fails failed except excluding
    exclude hardly barely lacking lack lacks minus non sans n't
    """
)

# What comes between a preposition and its noun.
DETERMINERS = these(
    """
    a an the this that these those my our your his her its their some any all every each certain given specific
    just only also please old new
    """
)
# Whatever these join may change places.
JOINING = frozenset({"and", "or", "vs", "versus", "with", "&", "+", "nor", "plus", "between", "compared", "both", ","})
# What stands for the same before a noun. What is not here stands for itself.
GOVERNORS = {
    "into": "to", "onto": "to", "towards": "to", "toward": "to", "using": "with", "via": "with",
    "does": "do", "did": "do", "is": "be", "are": "be", "was": "be", "were": "be", "am": "be", "has": "have",
    "had": "have",
}  # fmt: skip

# Persons, only for the question of who does what to whom.
PERSONS = {
    "i": "i", "me": "i", "we": "i", "us": "i", "you": "you", "he": "he", "him": "he", "she": "he", "her": "he",
    "they": "they", "them": "they",
}  # fmt: skip

TIME_WORDS = these(
    """
    today tomorrow yesterday tonight morning noon midday afternoon evening night midnight weekday weekend
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    spring summer autumn fall winter christmas easter
    last next previous past upcoming coming this current former latest recent ago early earlier late later before after
    until till since soon
    """
)
# Of these, what may be said of the circumstances of asking.
WHEN = these("before after until till since ago soon early late later earlier recent this")
# `this week` is told from `last week`; `this error` is any error.
SPANS = these(
    """
    second minute hour day night morning afternoon evening week weekend month quarter semester term season year decade
    century spring summer autumn fall winter monday tuesday wednesday thursday friday saturday sunday january february
    march april may june july august september october november december time sprint christmas easter
    """
)
