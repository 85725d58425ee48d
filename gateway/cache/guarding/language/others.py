"""Languages other than English: only their closed classes, so that their content words, numbers and negations count.

Which language a prompt is in is told by these words alone; without any it is treated as English, whose rules then
find nothing to apply. Words are without accents.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.cache.guarding.language.function_words import EMPTY

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """Words that change nothing, and words that reverse."""

    empty: frozenset[str]
    negations: frozenset[str]


def _language(empty: str, negations: str) -> Language:
    return Language(frozenset(empty.split()), frozenset(negations.split()))


LANGUAGES = {
    "de": _language(
        """
        der die das den dem des ein eine einen einem einer eines ich du er sie es wir ihr mich mir dich dir uns euch
        mein meine meinen meinem meiner meines dein deine ihre ihren ihrem ihrer unser unsere unseren ist sind war bin
        bist seid wird werden wurde habe hast hat haben kann kannst konnen konnte konntest konnten mochte wurdest
        wurden soll sollte muss in im an am auf zu zum zur mit von vom fur bei beim aus uber um als wie was wer wo wann
        warum wieso welche welcher welches welchen und oder aber dass wenn ob so auch noch man sich bitte danke hallo
        guten tag morgen gruss gruesse liebe viele vielen gibt gib mal gerne gern erklare erklaren sagen sag mir
        """,
        "nicht kein keine keinen keinem keiner ohne nie niemals nichts niemand weder ausser",
    ),
    "fr": _language(
        """
        le la les l un une des du de d je j tu il elle on nous vous ils elles me m te t se s mon ma mes ton ta tes son
        sa ses notre nos votre vos leur leurs ce cet cette ces c est sont etait suis es sommes etes ai as a avons avez
        ont peux peut pouvez pourriez pourrait peuvent dois doit faut faire en dans sur a au aux par pour avec chez
        que qu qui quoi quel quelle quels quelles comment ou quand pourquoi combien et mais donc si y merci bonjour
        salut svp stp plait bonsoir bien cordialement expliquez expliquer explique moi puis je ainsi
        """,
        "ne n pas non aucun aucune sans jamais rien personne ni sauf",
    ),
    "es": _language(
        """
        el la los las un una unos unas de del al yo tu usted ustedes nosotros me te se nos mi mis su sus es son era
        soy eres estan esta estoy fue ser he has ha hemos han puedo puedes puede pueden podria podrias debo debe hay
        hacer en a por para con que quien cual cuales como donde cuando cuanto cuanta cuantos cuantas y o pero si lo
        le les favor gracias hola buenos buenas dias tardes noches saludos explica explicame dime
        """,
        "no ni sin nunca nada nadie ningun ninguna ninguno tampoco excepto salvo",
    ),
    "it": _language(
        """
        il lo la i gli le un uno una di del della dei delle dello al alla ai alle io tu lei noi voi mi ti si ci mio mia
        miei mie suo sua e sono era sei siamo ho hai ha abbiamo hanno posso puoi puo possono potrebbe devo deve c e fare
        in a da dal dalla per con su sul che chi quale quali come dove quando perche quanto quanti quante ed o ma se
        grazie ciao buongiorno favore saluti spiega spiegami dimmi
        """,
        "non ne senza mai niente nulla nessuno nessuna tranne",
    ),
    "pt": _language(
        """
        o a os as um uma uns umas de do da dos das eu tu voce voces nos me te se meu minha meus minhas seu sua e sao
        era sou estou esta foi ser tenho tem temos posso pode podem poderia devo deve ha fazer em no na nos nas ao aos
        por para pelo pela com que quem qual quais como onde quando porque quanto quantos quantas ou mas se favor
        obrigado obrigada ola bom boa dia tarde noite explique diga
        """,
        "nao nem sem nunca nada ninguem nenhum nenhuma jamais exceto",
    ),
    "nl": _language(
        """
        de het een ik je jij u hij zij ze wij we mij me mijn jouw uw onze ons is zijn was ben bent heb hebt heeft hebben
        kan kun kunt kunnen zou wil moet mag in op aan van voor met bij uit over naar om te als hoe wat wie waar
        wanneer waarom welke welk en of maar dat dit die deze er ook nog graag alsjeblieft alstublieft dank bedankt
        hallo dag leg uit geef mij
        """,
        "niet geen zonder nooit niets niemand noch behalve",
    ),
}
# Chinese and Japanese courtesies, particles and question marks in words.
FILLERS = (
    "请问", "請問", "谢谢", "謝謝", "你好", "您好", "麻烦", "请", "請", "吗", "嗎", "呢", "吧", "啊", "的", "了",
    "ありがとうございます", "お願いします", "おねがいします", "すみません", "こんにちは", "ください",
    "ですか", "ますか", "です", "ます",
)  # fmt: skip


def language_of(words: list[str]) -> str:
    """The language whose closed classes hold most of the words."""
    best, most = ENGLISH, sum(word in EMPTY for word in words)
    if most * 2 > len(words):
        return best
    for name, language in LANGUAGES.items():
        found = sum(word in language.empty or word in language.negations for word in words)
        if found > most and found > 1:
            best, most = name, found
    return best
