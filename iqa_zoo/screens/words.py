"""Text that looks like text: sentences, names, numbers and programs by chance."""

import random

_WORDS = """
the of and to in a is that for it was on are as with they be at this have from or
one had by but not what all were we when your can there use an each which she do how
their if will way about many then them would like so these her long make thing see
him two has look more day could go come did number sound no most people my over know
water than call first who may down side been now find any new work part take get
place made live where after back little only round man year came show every good me
give our under name very through just form sentence great think say help low line
differ turn cause much mean before move right boy old too same tell does set three
want air well also play small end put home read hand port large spell add even land
here must big high such follow act why ask men change went light kind need house
picture try again animal point mother world near build self earth father market
quarter system network report season river energy summer railway history museum
harbour kitchen morning garden station library village mountain weather science
research government company development information technology language
"""
_NOUNS = """
index value count node table image buffer result cache token frame queue batch user
path order item total range size state event model layer weight score error config
client server record field entry signal filter window limit offset
"""
_VERBS = """
read write load parse merge build find make check update send fetch draw split apply
reduce compute register select open close render validate
"""
_FIRST = """
Ana Ben Clara Dmitri Elif Farid Grace Hiro Ines Jonas Kaja Liam Mei Noor Olu Petra
Quinn Rosa Stefan Tariq Uma Viktor Wen Ximena Yusuf Zofia
"""
_LAST = """
Almeida Brandt Costa Dubois Eriksen Fischer Gupta Haddad Ito Jansen Kowalski Lopez
Moreau Novak Okafor Petrov Rossi Silva Tanaka Urban Weber Yilmaz Zhang
"""
# All letters are ones that both fonts have.
WORDS = _WORDS.split()
NOUNS = _NOUNS.split()
VERBS = _VERBS.split()
FIRST = _FIRST.split()
LAST = _LAST.split()
SUFFIXES = ("pdf", "png", "csv", "txt", "docx", "xlsx", "py", "zip", "mp4", "md")

Token = tuple[
    str, str
]  # text and its kind: keyword, name, text, number, comment, plain


def words(rng: random.Random, least: int, most: int) -> str:
    """So many words."""
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(least, most)))


def title(rng: random.Random, least: int = 2, most: int = 6) -> str:
    """Words with a capital letter."""
    return words(rng, least, most).capitalize()


def sentence(rng: random.Random) -> str:
    """A sentence with its full stop."""
    text = words(rng, 4, 14)
    if rng.random() < 0.3:
        text = f"{text}, {words(rng, 3, 7)}"
    if rng.random() < 0.12:
        text = f"{text} {number(rng)}"
    return text.capitalize() + rng.choice((".", ".", ".", ".", "?", "!"))


def paragraph(rng: random.Random) -> str:
    """A few sentences."""
    return " ".join(sentence(rng) for _ in range(rng.randint(2, 6)))


def person(rng: random.Random) -> str:
    """A first and a last name."""
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def number(rng: random.Random) -> str:
    """A number as tables have it."""
    kind = rng.randrange(5)
    if kind == 0:
        return f"{rng.randint(0, 99)}"
    if kind == 1:
        return f"{rng.randint(1000, 9_999_999):,}"
    if kind == 2:
        return f"{rng.uniform(0, 100):.1f} %"
    if kind == 3:
        return f"{rng.uniform(-50, 900):.2f}"
    return f"${rng.uniform(1, 5000):,.2f}"


def date(rng: random.Random) -> str:
    """A day, as tables have it."""
    year, month, day = rng.randint(2009, 2026), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice((f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}"))


def clock(rng: random.Random) -> str:
    """A time of the day."""
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}"


def file_name(rng: random.Random) -> str:
    """A file's name with its suffix."""
    stem = rng.choice(("_", "-", " ")).join(rng.choice(NOUNS) for _ in range(2))
    mark = rng.choice(("", f"_{rng.randint(1, 99)}", f" ({rng.randint(1, 9)})"))
    return f"{stem}{mark}.{rng.choice(SUFFIXES)}"


def identifier(rng: random.Random) -> str:
    """A name as programs have it."""
    return rng.choice(
        (
            rng.choice(NOUNS),
            f"{rng.choice(NOUNS)}_{rng.choice(NOUNS)}",
            f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}",
        )
    )


def program(rng: random.Random, lines: int) -> list[list[Token]]:
    """Lines of a program, each as its tokens; the first is the indent."""
    found: list[list[Token]] = []
    depth = 0
    while len(found) < lines:
        if depth == 0:
            if found:
                found.append([("", "plain")])
            found.append(_head(rng))
            depth = 1
            continue
        opens = depth < 4 and rng.random() < 0.25
        body = _block(rng) if opens else _statement(rng)
        found.append([("    " * depth, "plain"), *body])
        depth += opens
        if not opens and rng.random() < 0.3:
            depth -= 1
    return found[:lines]


def _head(rng: random.Random) -> list[Token]:
    if rng.random() < 0.2:
        name = "".join(rng.choice(NOUNS).capitalize() for _ in range(2))
        return [("", "plain"), ("class ", "keyword"), (name, "name"), (":", "plain")]
    name = f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
    arguments = ", ".join(rng.sample(NOUNS, rng.randint(0, 3)))
    return [
        ("", "plain"),
        ("def ", "keyword"),
        (name, "name"),
        (f"({arguments}):", "plain"),
    ]


def _block(rng: random.Random) -> list[Token]:
    one, other = identifier(rng), identifier(rng)
    return rng.choice(
        (
            [("for ", "keyword"), (one, "plain"), (" in ", "keyword"),
             (f"{other}:", "plain")],
            [("if ", "keyword"), (f"{one} > ", "plain"),
             (str(rng.randint(0, 500)), "number"), (":", "plain")],
            [("while ", "keyword"), (f"{one} != {other}:", "plain")],
            [("with ", "keyword"), ("open", "name"), (f"({one}) ", "plain"),
             ("as ", "keyword"), ("file:", "plain")],
        )
    )  # fmt: skip


def _statement(rng: random.Random) -> list[Token]:
    one, other = identifier(rng), identifier(rng)
    call = rng.choice(VERBS)
    return rng.choice(
        (
            [(f"{one} = ", "plain"), (call, "name"), (f"({other})", "plain")],
            [(f"{one} += ", "plain"), (str(rng.randint(1, 99)), "number")],
            [(f"{one} = ", "plain"), (repr(words(rng, 1, 4)), "text")],
            [("return ", "keyword"), (f"{one}[{other}]", "plain")],
            [(f"# {sentence(rng)}"[:70], "comment")],
            [(f"{one}.", "plain"), (call, "name"), (f"({other}, ", "plain"),
             (f"{rng.uniform(0, 9):.3f}", "number"), (")", "plain")],
            [("raise ", "keyword"), ("ValueError", "name"), ("(", "plain"),
             (repr(words(rng, 2, 5)), "text"), (")", "plain")],
        )
    )  # fmt: skip
