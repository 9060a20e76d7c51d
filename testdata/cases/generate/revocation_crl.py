"""Complete CRLs (conformance 10.15 to 10.24, RFC 5280 section 5)."""

import crl
from case import trusted
from der import explicit, extension, null, seq, tlv
from roles import ROLES, SIGNING
from tools import openssl
from world import GOOD, NEXT, OLD_NEXT, OLD_THIS, THIS, ca, directory, elsewhere, ldap, names, other_ca, points, reasons, relative, stranger

BEFORE = "2026-05-01T00:00:00Z"
FUTURE, FUTURE_NEXT = "2026-06-20T00:00:00Z", "2026-07-20T00:00:00Z"


def made(role, entries=(), extensions=None, this=THIS, next=NEXT, sections="", **more):
    return crl.by_openssl(role.ca, this, next, entries, extensions, sections, **more)


def by_hand(role, entries=(), this=THIS, next=NEXT, **more):
    return crl.by_hand(role.ca, this, next, entries, **more)


def idp(text, section=""):
    return {"extensions": crl.number(1) + "issuingDistributionPoint=critical,@idp\n", "sections": f"[idp]\n{text}\n{section}"}


for role in ROLES:
    leaf, authority, good = role.leaf, role.ca, GOOD[role.ca.name]
    spare = [good]

    def one(name, title, facts, expected=None, crls=(), role=role, **more):
        role.case(f"crl-{name}", title, facts, expected, crls=crls, **more)

    one("good", "Both certificates are on no CRL", ["10.01", "10.04", "10.18"], crls=spare)
    one("missing", "There is no CRL of the leaf's issuer", ["10.01", "10.04"], role.undecided("crl-missing"))
    one("missing-of-root", "There is no CRL of the root", ["10.01"], role.undecided("crl-missing", authority), crls=spare, root_crls=[])
    one("none-offered", "The leaf names neither OCSP nor a CRL", ["10.01"],
        trusted(role.found(role.neither, "not applicable", "revocation-not-offered")),
        leaf=role.neither)
    one("revoked-leaf", "The leaf is revoked, for no reason", ["10.23", "10.04"], role.revoked(), crls=[made(role, [(leaf, BEFORE)])])
    one("revoked-intermediate", "The authority is revoked", ["10.23"], role.revoked(authority), crls=spare,
        root_crls=[crl.by_openssl(role.root, THIS, NEXT, [(authority, BEFORE, "CACompromise")])])
    one("revoked-root", "The root is on its own CRL, and nobody asks", ["10.02"], crls=spare,
        root_crls=[crl.by_openssl(role.root, THIS, NEXT, [(role.root, BEFORE, "CACompromise")])])
    for reason in ["keyCompromise", "CACompromise", "affiliationChanged", "superseded", "cessationOfOperation", "certificateHold"]:
        one(f"reason-{reason.lower()}", f"The leaf is revoked: {reason}", ["10.23", "10.24"], role.revoked(),
            crls=[made(role, [(leaf, BEFORE, reason)])])
    for code, reason in [(9, "privilegeWithdrawn"), (10, "aACompromise")]:
        one(f"reason-{reason.lower()}", f"The leaf is revoked: {reason}", ["10.23"], role.revoked(),
            crls=[by_hand(role, [crl.entry(leaf, BEFORE, code)])])
    one("invalidity-date", "A compromise with an invalidity date, under the reading of now", ["10.23", "8.32", "14.08"], role.revoked(),
        crls=[made(role, [(leaf, BEFORE, "keyTime", "2026-04-01T00:00:00Z")])])
    one("revoked-later", "The revocation lies after the verification time, on a CRL from before it", ["10.23"], role.revoked(),
        crls=[made(role, [(leaf, "2026-06-30T00:00:00Z", "superseded")])])
    one("other-revoked", "Another certificate of the issuer is revoked", ["10.22"], crls=[made(role, [(stranger, BEFORE, "keyCompromise")])])

    one("expired", "The CRL is past its nextUpdate", ["10.19"], role.undecided("crl-expired"), crls=[made(role, this=OLD_THIS, next=OLD_NEXT)])
    one("expired-lists", "The CRL is past its nextUpdate, and lists the leaf", ["10.20", "14.07"], role.revoked(),
        crls=[made(role, [(leaf, "2026-03-01T00:00:00Z", "superseded")], this=OLD_THIS, next=OLD_NEXT)])
    one("expired-lists-and-fresh", "An old CRL lists the leaf for good, and a fresh one does not", ["10.20", "10.24"], role.revoked(),
        crls=[good, made(role, [(leaf, "2026-03-01T00:00:00Z", "superseded")], this=OLD_THIS, next=OLD_NEXT)])
    one("expired-hold", "The CRL is past its nextUpdate, and holds the leaf", ["10.20", "10.24"], role.revoked(),
        crls=[made(role, [(leaf, "2026-03-01T00:00:00Z", "certificateHold")], this=OLD_THIS, next=OLD_NEXT)])
    one("hold-lifted", "An old CRL holds the leaf, and a fresh one no longer does", ["10.24"],
        crls=[good, made(role, [(leaf, "2026-03-01T00:00:00Z", "certificateHold")], this=OLD_THIS, next=OLD_NEXT)])
    one("hold-again", "A fresh CRL holds the leaf, and an older one that is still current does not", ["10.24"], role.revoked(),
        crls=[good, made(role, [(leaf, "2026-06-02T00:00:00Z", "certificateHold")], this="2026-06-02T00:00:00Z")])
    one("expired-and-fresh", "One CRL is past its nextUpdate, another is not", ["10.19", "10.16"],
        crls=[good, made(role, this=OLD_THIS, next=OLD_NEXT)])
    one("future", "The CRL was issued after the verification time", ["10.19"], role.undecided("crl-not-yet-issued"),
        crls=[made(role, this=FUTURE, next=FUTURE_NEXT)])
    one("future-lists", "A CRL from after the verification time lists the leaf", ["10.19", "10.23"], role.revoked(),
        crls=[good, made(role, [(leaf, BEFORE, "superseded")], this=FUTURE, next=FUTURE_NEXT)])
    one("future-does-not-lift", "A CRL from after the verification time lifts no hold", ["10.19", "10.24"], role.revoked(),
        crls=[made(role, [(leaf, BEFORE, "certificateHold")]), made(role, this=FUTURE, next=FUTURE_NEXT)])
    one("no-next-update", "The CRL has no nextUpdate", ["10.19"], role.undecided("crl-expired"), crls=[by_hand(role, next=None)])

    one("stranger", "A stranger signs in the issuer's name", ["10.18"], role.undecided("crl-invalid"), crls=[by_hand(role, signer=stranger)])
    one("stranger-and-good", "A stranger's CRL of the issuer's name does not stand in the way of the issuer's", ["10.18", "10.16"],
        crls=[good, by_hand(role, [crl.entry(leaf, BEFORE)], signer=stranger)])
    one("stranger-lists", "A stranger lists the leaf in the issuer's name: that revokes nothing", ["10.18"],
        role.undecided("crl-invalid"), crls=[by_hand(role, [crl.entry(leaf, BEFORE)], signer=stranger)])
    one("other-key", "The issuer's next key signs: not the one that signed the certificate", ["10.18"], role.undecided("crl-invalid"),
        crls=[crl.by_openssl(role.rollover, THIS, NEXT)])
    one("wrong-issuer", "Another authority's CRL", ["10.18"], role.undecided("crl-missing"), crls=[crl.by_openssl(other_ca, THIS, NEXT)])
    one("other-name", "The issuer's key signs under another name", ["10.18"], role.undecided("crl-missing"),
        crls=[by_hand(role, name=other_ca.parsed.subject)])
    one("of-root", "The root signs in the name of the authority below it", ["10.18"], role.undecided("crl-invalid"),
        crls=[by_hand(role, signer=role.root)])
    one("may-not-sign", "The issuer's certificate lacks cRLSign", ["10.18"], role.undecided("crl-invalid", role.muted), leaf=role.muted,
        crls=[crl.by_openssl(role.muted.issuer, THIS, NEXT)])
    one("may-not-sign-lists", "An issuer without cRLSign lists the leaf", ["10.18"], role.undecided("crl-invalid", role.muted),
        leaf=role.muted, crls=[crl.by_openssl(role.muted.issuer, THIS, NEXT, [(role.muted, BEFORE)])])
    spoiled = bytearray(made(role))
    spoiled[-1] ^= 1
    one("tampered", "The signature is changed", ["10.18"], role.undecided("crl-invalid"), crls=[bytes(spoiled)])
    removed = made(role, [(leaf, BEFORE, "superseded")]).replace(leaf.parsed.serial, stranger.parsed.serial)
    one("entry-changed", "The leaf's entry is changed to another's", ["10.18"], role.undecided("crl-invalid"), crls=[removed])
    one("sha1", "The CRL is signed with SHA-1", ["10.18", "5.15"], role.undecided("crl-invalid"), crls=[made(role, md="sha1")])
    one("sha512", "The CRL is signed with SHA-512", ["10.18"], crls=[made(role, md="sha512")])
    one("version-1", "The CRL is of version 1", ["10.17"], role.undecided("crl-missing"), crls=[made(role, extensions="")])
    one("pem", "The CRL is in PEM", ["10.17"], role.undecided("crl-missing"),
        crls=[openssl("crl", "-inform", "DER", data=good.path.read_bytes())])
    one("trailing", "A byte follows the CRL", ["10.17"], role.undecided("crl-missing"), crls=[made(role) + b"\0"])

    # The scope: 5.2.5 of RFC 5280.
    scoped = [
        ("user-only", "onlyuser=TRUE", True, False), ("ca-only", "onlyCA=TRUE", False, True), ("attribute-only", "onlyAA=TRUE", False, False),
        ("some-reasons", "onlysomereasons=keyCompromise,CACompromise", False, False),
    ]
    for name, text, covers_leaf, covers_authority in scoped:
        one(f"{name}-leaf", f"The CRL has the scope {text}", ["10.21", "14.07"], None if covers_leaf else role.undecided("crl-out-of-scope"),
            crls=[made(role, **idp(text))])
        scope = idp(text)
        one(f"{name}-intermediate", f"The root's CRL has the scope {text}", ["10.21", "14.07"],
            None if covers_authority else role.undecided("crl-out-of-scope", authority), crls=spare,
            root_crls=[crl.by_openssl(role.root, THIS, NEXT, (), scope["extensions"], scope["sections"])])
    one("user-and-ca-only", "The CRL is for end entities only and for authorities only", ["10.21"], role.undecided("crl-out-of-scope"),
        crls=[by_hand(role, extensions=[crl.number_extension(1), extension(crl.IDP, seq(tlv(0x81, b"\xff"), tlv(0x82, b"\xff")), True)])])
    one("user-only-revoked", "The CRL is for end entities only, and lists the leaf", ["10.21", "10.23"], role.revoked(),
        crls=[made(role, [(leaf, BEFORE)], **idp("onlyuser=TRUE"))])
    one("ca-only-lists", "The CRL is for authorities only, and lists the leaf's serial number", ["10.21"],
        role.undecided("crl-out-of-scope"), crls=[made(role, [(leaf, BEFORE)], **idp("onlyCA=TRUE"))])
    url = f"URI:http://crl.example/{authority.name}.crl"
    one("point-matches", "The CRL's distribution point is the certificate's", ["10.21"], crls=[made(role, **idp(f"fullname={url}"))])
    one("point-among-others", "One of the names of the CRL's distribution point is the certificate's", ["10.21"],
        crls=[made(role, **idp(f"fullname=URI:ldap://crl.example/x,{url}"))])
    one("point-differs", "The CRL's distribution point is another", ["10.21"], role.undecided("crl-out-of-scope"),
        crls=[made(role, **idp("fullname=URI:http://crl.example/another.crl"))])
    one("point-case-differs", "The CRL's distribution point differs in case", ["10.21"], role.undecided("crl-out-of-scope"),
        crls=[made(role, **idp("fullname=URI:http://crl.example/CA.CRL"))])
    one("point-and-user-only", "Distribution point and scope fit", ["10.21"], crls=[made(role, **idp(f"fullname={url}\nonlyuser=TRUE"))])
    one("indirect", "An indirect CRL of the issuer itself", ["10.15", "10.22"], role.undecided("crl-out-of-scope"),
        crls=[made(role, **idp("indirectCRL=TRUE"))])

    # Extensions of the list.
    unknown = extension("1.2.3.4", null(), True)
    one("critical-extension", "The CRL has an unknown critical extension", ["10.21"], role.undecided("crl-out-of-scope"),
        crls=[by_hand(role, extensions=[crl.number_extension(1), unknown])])
    one("critical-extension-lists", "A CRL with an unknown critical extension lists the leaf", ["10.21"],
        role.undecided("crl-out-of-scope"), crls=[by_hand(role, [crl.entry(leaf, BEFORE)], extensions=[unknown])])
    one("unknown-extension", "The CRL has an unknown extension that is not critical", ["10.21"],
        crls=[made(role, extensions=crl.number(1) + "1.2.3.4=DER:0500\n")])
    one("repeated-extension", "The CRL has an extension twice", ["10.21"], role.undecided("crl-missing"),
        crls=[by_hand(role, extensions=[crl.number_extension(1), crl.number_extension(2)])])
    one("no-number", "The CRL has no number", ["10.21"], crls=[made(role, extensions="1.2.3.4=DER:0500\n")])

    # Extensions of the entry.
    one("entry-critical", "The leaf's entry has an unknown critical extension", ["10.22"], role.undecided("crl-invalid"),
        crls=[by_hand(role, [crl.entry(leaf, BEFORE, more=[unknown])])])
    one("entry-critical-of-another", "Another's entry has an unknown critical extension", ["10.22"],
        crls=[by_hand(role, [crl.entry(stranger, BEFORE, more=[unknown])])])
    one("entry-critical-and-good", "A CRL without the leaf does not outweigh an entry that nobody can read", ["10.22"],
        role.undecided("crl-invalid"), crls=[good, by_hand(role, [crl.entry(leaf, BEFORE, more=[unknown])])])
    one("entry-unknown", "The leaf's entry has an unknown extension that is not critical", ["10.22"], role.revoked(),
        crls=[by_hand(role, [crl.entry(leaf, BEFORE, more=[extension("1.2.3.4", null())])])])
    one("entry-issuer", "The leaf's entry names a certificate issuer", ["10.22", "10.15"], role.undecided("crl-invalid"),
        crls=[by_hand(role, [crl.entry(leaf, BEFORE, more=[extension("2.5.29.29", seq(explicit(4, other_ca.parsed.subject)), True)])])])
    one("entry-reason-unknown", "The leaf's entry has a reason that does not exist", ["10.24"], role.undecided("crl-invalid"),
        crls=[by_hand(role, [crl.entry(leaf, BEFORE, 7)])])
    one("entry-date-malformed", "The leaf's entry has an invalidity date that cannot be read", ["10.23"], role.undecided("crl-invalid"),
        crls=[by_hand(role, [crl.entry(leaf, BEFORE, 1, more=[extension("2.5.29.24", tlv(0x18, b"2026"))])])])
    one("remove-in-base", "removeFromCRL in a complete CRL", ["10.24"], role.undecided("crl-invalid"),
        crls=[by_hand(role, [crl.entry(leaf, BEFORE, 8)])])

# Distribution points, of which only a signer's are varied.
def point(holder, name, title, facts, expected=None, crls=()):
    SIGNING.case(f"point-{name}", title, facts, expected, crls=crls, leaf=holder)


GOOD_CA = GOOD["ca"]
FIRST, SECOND = (idp(f"fullname=URI:http://crl.example/{number}.crl") for number in (1, 2))
one, two = made(SIGNING, **FIRST), made(SIGNING, **SECOND)
point(points, "two-both", "Two distribution points, a CRL of each", ["10.16"], crls=[one, two])
point(points, "two-first", "Two distribution points, the CRL of the first", ["10.16"], crls=[one])
point(points, "two-second", "Two distribution points, the CRL of the second", ["10.16"], crls=[two])
point(points, "two-second-revokes", "Two distribution points, the second's CRL lists the leaf", ["10.16", "10.23"],
      SIGNING.revoked(points), crls=[one, made(SIGNING, [(points, BEFORE, "superseded")], **SECOND)])
point(points, "two-first-expired", "Two distribution points, the first's CRL is past its nextUpdate", ["10.16"],
      crls=[made(SIGNING, this=OLD_THIS, next=OLD_NEXT, **FIRST), two])
point(points, "two-neither", "Two distribution points, a CRL of a third", ["10.16"], SIGNING.undecided("crl-out-of-scope", points),
      crls=[made(SIGNING, **idp("fullname=URI:http://crl.example/3.crl"))])
point(names, "two-names", "One distribution point of two names, a CRL of the second", ["10.16"], crls=[two])
point(ldap, "ldap", "The only distribution point is not over HTTP, and the CRL is at hand", ["10.15", "10.16"], crls=[GOOD_CA])
point(ldap, "ldap-missing", "The only distribution point is not over HTTP, and there is no CRL", ["10.15"],
      SIGNING.undecided("crl-missing", ldap))
DN = "[dn]\nC=NL\nCN=Point\n"
point(directory, "directory-name", "The distribution point is a directory name, and the CRL's too", ["10.21"],
      crls=[made(SIGNING, **idp("fullname=dirName:dn", DN))])
point(directory, "directory-name-differs", "The distribution point is a directory name, and the CRL's is another", ["10.21"],
      SIGNING.undecided("crl-out-of-scope", directory), crls=[made(SIGNING, **idp("fullname=dirName:dn", DN.replace("Point", "Other")))])
point(relative, "relative-name", "Both name the point relative to the issuer", ["10.21"],
      crls=[made(SIGNING, **idp("relativename=rdn", "[rdn]\nCN=Point\n"))])
point(relative, "relative-name-differs", "Both name a point relative to the issuer, and another", ["10.21"],
      SIGNING.undecided("crl-out-of-scope", relative), crls=[made(SIGNING, **idp("relativename=rdn", "[rdn]\nCN=Other\n"))])
SOME = ["onlysomereasons=keyCompromise,CACompromise", "onlysomereasons=affiliationChanged,superseded,cessationOfOperation,"
        "certificateHold,privilegeWithdrawn,AACompromise"]
point(reasons, "by-reasons-one", "One distribution point for some reasons, and its CRL only", ["10.21"],
      SIGNING.undecided("crl-out-of-scope", reasons), crls=[made(SIGNING, **idp(f"fullname=URI:http://crl.example/1.crl\n{SOME[0]}"))])
point(reasons, "by-reasons-whole", "A CRL for all reasons at the other distribution point", ["10.21", "10.16"], crls=[two])
point(elsewhere, "indirect", "Another authority issues the CRLs, for this one too", ["10.15", "10.22"],
      SIGNING.undecided("crl-missing", elsewhere),
      crls=[crl.by_openssl(other_ca, THIS, NEXT, (), crl.number(1) + "issuingDistributionPoint=critical,@idp\n",
                           "[idp]\nfullname=URI:http://crl.example/other.crl\nindirectCRL=TRUE\n")])
point(elsewhere, "indirect-lists", "Another authority's indirect CRL lists the leaf", ["10.15", "10.22"],
      SIGNING.undecided("crl-missing", elsewhere),
      crls=[crl.by_hand(other_ca, THIS, NEXT, [crl.entry(elsewhere, BEFORE, 4, more=[
          extension("2.5.29.29", seq(explicit(4, ca.parsed.subject)), True)])], [crl.number_extension(1), extension(
              crl.IDP, seq(explicit(0, explicit(0, tlv(0x86, b"http://crl.example/other.crl"))), tlv(0x84, b"\xff")), True)])])
