"""The two chains whose revocation is asked about. A case about one of them leaves the other in good standing."""

from case import case, check, rejected, trusted, undecided
from world import (CODE, ENVELOPES, GOOD, LONG, PLAIN, STAMP, asked, both, ca, delegate, fresh, muted, next_ca, neither, root, signer,
                   stamped, tsa, tsa_asked, tsa_both, tsa_ca, tsa_delegate, tsa_fresh, tsa_muted, tsa_neither, tsa_next_ca, tsa_root)


class Role:
    """One of the chains: `leaf` by CRL, `asked` by OCSP, `both`, `neither`, `fresh` with delta CRLs, `muted` below an authority that
    may not sign CRLs; `rollover` is the authority `ca` with another key."""

    def __init__(self, prefix, who, kind, **holders):
        self.prefix, self.who, self.kind = prefix, who, kind
        self.__dict__.update(holders)

    def found(self, holder, result, code):
        return check(self.kind, holder, result, code)

    def revoked(self, holder=None):
        return rejected(self.found(holder or self.leaf, "failed", "certificate-revoked"))

    def undecided(self, code, holder=None):
        return undecided(self.found(holder or self.leaf, "undetermined", code))

    def case(self, name, title, facts, expected=None, crls=(), root_crls=None, ocsp=(), leaf=None, long=False, **more):
        """`crls` are those of the authority, `root_crls` those of its root (by default a good one)."""
        leaf = leaf or self.leaf
        good = LONG if long else GOOD
        crls = [*crls, *([good[self.root.name]] if root_crls is None else root_crls)]
        if self is TIME:
            more = {"token": stamped(leaf), "tsa": [tsa_root], **more}
            crls += [good["ca"], good["root"]]
        envelope = more.pop("envelope", PLAIN if self is TIME else ENVELOPES[leaf.name])
        facts = facts + (["9.30"] if self is TIME else ["8.31"])
        case("revocation", f"{self.prefix}-{name}", f"{self.who}: {title[0].lower()}{title[1:]}", facts, envelope, expected or trusted(), crls=crls, ocsp=ocsp, ca=[root], **more)


SIGNING = Role("signing", "Signer", CODE, leaf=signer, ca=ca, root=root, asked=asked, both=both, neither=neither, fresh=fresh, muted=muted,
               rollover=next_ca, delegate=delegate)
TIME = Role("tsa", "Timestamp authority", STAMP, leaf=tsa, ca=tsa_ca, root=tsa_root, asked=tsa_asked, both=tsa_both, neither=tsa_neither, fresh=tsa_fresh,
            muted=tsa_muted, rollover=tsa_next_ca, delegate=tsa_delegate)
ROLES = [SIGNING, TIME]
