"""texts: distinct messages for the mix, made from sentences with seeded variation. Names and domains are reserved ones.

Every message differs from every other in its text, not only in a header; about 2 KiB each; SHARE of them say plainly that staff
did wrong. They come as plain text, quoted-printable, base64 and HTML, in English and Spanish."""
import base64
import quopri
import random

SHARE = 0.15

FIRST = "Rosa Dean Lucia Hector Marta Owen Priya Tomas Elena Walter Nadia Victor Irene Samuel Paula Gustavo Yolanda Martin".split()
LAST = "Quillon Quarrel Uxbridge Zamudio Xander Quispe Ulloa Zielinski Quintero Underhill Zapata Quigley Xenakis Ugarte".split()
OFFICERS = "Kraxler Zorn Quosby Uxley Zettel Xarvis Quench Umber Zindel Quark".split()
PLACES = "KBA QXM UDK XRN ZLT".split()
MONTHS = "January February March April May June July August September October November December".split()

ASKS = {
    "en": (
        "How do I get on the visiting list of {place} for {month}?",
        "I sent a deposit of {n} dollars to the commissary account on the {day} and it does not show yet.",
        "Could somebody explain when visiting hours on {month} {day} begin, and which form my daughter has to bring?",
        "The package with birth certificate number {n} came back to us, and I would like to know the right address.",
        "How do I find out which class in unit {unit} is open in {month}?",
        "We are planning for his release to the halfway house in {month} and have questions about the date.",
        "His custody points should be {small} by our reading, and a transfer nearer home was mentioned in {month}.",
        "I was told that good time credits of {n} days are posted in {month}; where can we see that?",
    ),
    "es": (
        "Cómo puedo apuntarme para la visita del {day} de {month} en {place}?",
        "Quisiera saber si el depósito de {n} para la tienda ya aparece en la cuenta.",
        "Tengo preguntas sobre el traslado a {place} en {month} y sobre la salida.",
        "Cuándo empieza la clase de la unidad {unit} en {month}?",
    ),
}
WRONGS = {
    "en": (
        "On {month} {day} Officer {officer} slammed me into the wall while I was handcuffed and kicked me in the ribs in unit {unit}.",
        "Sergeant {officer} punched my son in the face on {month} {day} while two other officers held him in handcuffs.",
        "Lieutenant {officer} put me in the hole for {small} days because I filed a grievance, and said that is what snitches get.",
        "Officer {officer} has been selling phones and suboxone on unit {unit} for cash app money, {n} dollars for each one.",
        "Officer {officer} watches the women in the shower of unit {unit} and touched one of them on {month} {day}.",
        "The nurse and Officer {officer} refused him his insulin on {month} {day} and laughed when he asked for the doctor.",
        "Captain {officer} told them to write in the log that the rounds were made; the paperwork of {month} {day} is forged.",
        "Officer {officer} opened my legal mail on {month} {day}, read the letter and threw it in the trash.",
    ),
    "es": (
        "El {day} de {month} el oficial {officer} golpeó a mi hermano en la cara estando esposado en la unidad {unit}.",
        "El teniente {officer} lo castigó en el hoyo por quejarse y lo amenazó para que no dijera nada.",
        "El oficial {officer} vende celulares y droga en la unidad {unit} y cobra {n} dólares por cada uno.",
    ),
}
FILL = {
    "en": (
        "My number in the family is {n}, and I can be called any weekday after {small} in the evening.",
        "I wrote before, on {month} {day}, and the answer from {place} was that somebody would look into it.",
        "He lives in unit {unit} at {place} and has been there since {month}.",
        "{first} {last} and I have kept every paper since {month}, {n} pages in all.",
        "Please answer at this address, since the one of {first} {last} is not used any more.",
        "We drive {n} miles from home to {place}, with {first} and the two small ones in the back.",
        "The weather was bad on {month} {day}, so the bus to {place} came {small} hours late.",
        "I have written reference {n}-{unit} at the top, as the person at the desk of {place} asked.",
        "{first} {last} of our church helped me with this message and reads my English.",
        "Next {month} it will be {small} years since we moved away from {place}.",
    ),
    "es": (
        "Vivo lejos, a {n} millas de {place}, y viajo con {first} y los dos pequeños.",
        "Escribí antes, el {day} de {month}, y de {place} contestaron que alguien lo vería.",
        "Está en la unidad {unit} de {place} desde {month}.",
        "{first} {last} y yo guardamos todos los papeles desde {month}, {n} hojas en total.",
        "Por favor contesten a esta dirección, porque la de {first} {last} ya no se usa.",
        "El {day} de {month} hizo mal tiempo y el autobús a {place} llegó {small} horas tarde.",
        "La referencia {n}-{unit} está arriba, como pidieron en {place}.",
        "{first} {last} de nuestra iglesia me ayudó con esta carta.",
    ),
}
GREETING = {"en": "Good morning,", "es": "Buenos días."}


class Text:
    """One message: envelope, octets with CRLF, and whether it was written as an allegation."""

    def __init__(self, sender, to, raw, allegation):
        self.sender, self.to, self.raw, self.allegation = sender, to, raw, allegation


def fill_in(r, sentence):
    return sentence.format(first=r.choice(FIRST), last=r.choice(LAST), officer=r.choice(OFFICERS), place=r.choice(PLACES), month=r.choice(MONTHS),
                           day=r.randint(1, 28), n=r.randint(100, 999999), small=r.randint(2, 19), unit=f"{r.choice('ABCD')}-{r.randint(1, 40)}")


def paragraph(r, language, allegation, octets):
    lines = [GREETING[language], ""]
    said = r.sample(WRONGS[language], 2) if allegation else r.sample(ASKS[language], 2)
    lines += [fill_in(r, s) for s in said]
    while sum(len(l) + 2 for l in lines) < octets:
        lines.append(fill_in(r, r.choice(FILL[language])))
    if r.random() < 0.1:
        lines.insert(2, ".a line that begins with a dot")  # taken off and put on again on the way
    return "\r\n".join(lines) + f"\r\n\r\n{r.choice(FIRST)} {r.choice(LAST)}\r\n"


def crlf(octets):
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def body(r, text):
    """(fields, octets) of one of the ways in which such a text comes."""
    way = r.random()
    if way < 0.1:
        return (("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "quoted-printable")), \
            crlf(quopri.encodestring(text.replace("\r\n", "\n").encode()))
    if way < 0.2:
        return (("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "base64")), crlf(base64.encodebytes(text.encode()))
    if way < 0.3:
        html = "<html><body>\r\n" + "".join(f"<p>{l}</p>\r\n" for l in text.split("\r\n") if l) + "</body></html>\r\n"
        return (("Content-Type", "text/html; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")), html.encode()
    return (("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")), text.encode()


def make(seed, i, octets=2048):
    r = random.Random(f"{seed} {i}")
    allegation = int((i + 1) * SHARE) > int(i * SHARE)  # exactly that share, evenly spread
    language = "es" if r.random() < 0.25 else "en"
    fields, octets_ = body(r, paragraph(r, language, allegation, octets - 500))
    first, last = r.choice(FIRST), r.choice(LAST)
    to = "familia@kitebox.example" if language == "es" else "desk@kitebox.example"
    sender = f"{first}.{last}.{r.randint(1, 9999)}@family.example".lower()
    head = (("From", f"{first} {last} <{sender}>"), ("To", to), ("Subject", fill_in(r, "{month} {day}, {place}, {unit}")),
            ("Date", f"Tue, {r.randint(1, 28):02d} Nov 2026 09:{r.randint(0, 59):02d}:00 -0500"),
            ("Message-ID", f"<{r.getrandbits(96):024x}@family.example>"), ("MIME-Version", "1.0"), *fields)
    return Text(sender, to, "".join(f"{k}: {v}\r\n" for k, v in head).encode() + b"\r\n" + octets_, allegation)


def mix(seed, n):
    texts = [make(seed, i) for i in range(n)]
    assert len({t.raw for t in texts}) == n
    return texts
