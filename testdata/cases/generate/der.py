"""DER, as little of it as the generator needs: writing values, and finding the parts of certificates."""

import datetime

SHA = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
ECDSA = {
    "sha1": "1.2.840.10045.4.1",
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}


def tlv(tag, *parts):
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *sorted(parts))


def octets(content):
    return tlv(4, content)


def bits(content):
    return tlv(3, b"\0", content)


def explicit(number, *parts):
    return tlv(0xA0 | number, *parts)


def integer(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def enumerated(value):
    return tlv(10, bytes([value]))


def true():
    return tlv(1, b"\xff")


def null():
    return tlv(5)


def oid(text):
    arcs = [int(arc) for arc in text.split(".")]
    out = bytearray()
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        group = [arc & 0x7F]
        while arc := arc >> 7:
            group.append(arc & 0x7F | 0x80)
        out += bytes(reversed(group))
    return tlv(6, bytes(out))


def time(text):
    """`2026-06-15T12:00:00Z`"""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)


def stamp(text):
    """`20260615120000Z` of `2026-06-15T12:00:00Z`."""
    return time(text).strftime("%Y%m%d%H%M%SZ")


def later(text, seconds):
    return (time(text) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def generalized(text):
    return tlv(0x18, stamp(text).encode())


def utc_time(text):
    return tlv(0x17, stamp(text)[2:].encode())


def extension(name, value, critical=False):
    return seq(oid(name), true() if critical else b"", octets(value))


def read(der):
    """The tag, the content and what follows."""
    length, start = der[1], 2
    if length >= 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[2 : 2 + count], "big"), 2 + count
    return der[0], der[start : start + length], der[start + length :]


def parts(content):
    """The values inside, whole."""
    found = []
    while content:
        _, _, rest = read(content)
        found.append(content[: len(content) - len(rest)])
        content = rest
    return found


def inside(der):
    return read(der)[1]


class Parsed:
    """The parts of a certificate."""

    def __init__(self, certificate):
        fields = parts(inside(parts(inside(certificate))[0]))
        fields = fields[1:] if fields[0][0] == 0xA0 else fields
        self.serial, _, self.issuer, _, self.subject, self.spki = fields[:6]
        self.key_bits = inside(parts(inside(self.spki))[1])[1:]
