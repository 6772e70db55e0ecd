"""What is read of ACLs, and what a rewrite sends for them."""

import pytest

from tagfs.errors import MalformedResponse
from tagfs.store.acl import DOCUMENT, acl_of
from tagfs.store.wire.documents import parse_ownership, parse_policy

ALL = "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>"
KNOWN = "<URI>http://acs.amazonaws.com/groups/global/AuthenticatedUsers</URI>"
EVERYONE = "<Canned>Everyone</Canned>"
ME, OTHER = "<ID>me</ID><DisplayName>I</DisplayName>", "<ID>other</ID>"


def document(*grants: tuple[str, str]) -> bytes:
    inner = "".join(
        '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:type="CanonicalUser">{who}</Grantee><Permission>{right}</Permission></Grant>'
        for who, right in grants
    )
    return (
        '<?xml version="1.0"?><AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Owner>{ME}</Owner><AccessControlList>{inner}</AccessControlList></AccessControlPolicy>"
    ).encode()


FULL = (ME, "FULL_CONTROL")


@pytest.mark.parametrize(
    ("grants", "sent"),
    [
        ([FULL], {}),
        ([FULL, (ALL, "READ")], {"acl": "public-read"}),
        ([FULL, (EVERYONE, "READ")], {"acl": "public-read"}),
        ([FULL, (ALL, "READ"), (ALL, "WRITE")], {"acl": "public-read-write"}),
        ([FULL, (KNOWN, "READ")], {"acl": "authenticated-read"}),
        (
            [FULL, (OTHER, "READ"), (ALL, "READ")],
            {
                "grant-full-control": 'id="me"',
                "grant-read": f'id="other", uri="{ALL[5:-6]}"',
            },
        ),
        ([(OTHER, "READ_ACP")], {"grant-read-acp": 'id="other"'}),
    ],
)
def test_grants(grants: list[tuple[str, str]], sent: dict[str, str]) -> None:
    body = document(*grants)
    assert acl_of(parse_policy(body), body) == sent


@pytest.mark.parametrize("grants", [[], [FULL, (EVERYONE, "READ"), (OTHER, "READ")]])
def test_what_no_header_says_is_sent_as_it_came(grants: list[tuple[str, str]]) -> None:
    body = document(*grants)
    assert acl_of(parse_policy(body), body) == {DOCUMENT: body.decode()}


@pytest.mark.parametrize(
    ("word", "sent"), [("default", {}), ("private", {"acl": "private"}), ("public-read", None)]
)
def test_words(word: str, sent: dict[str, str] | None) -> None:
    body = (
        "<AccessControlPolicy><Owner><ID>1</ID></Owner><AccessControlList>"
        f"<Grant>{word}</Grant></AccessControlList></AccessControlPolicy>"
    ).encode()
    assert acl_of(parse_policy(body), body) == ({"acl": word} if sent is None else sent)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"the object itself",
        b"<Tagging/>",
        b"<html><body/></html>",
        b"<AccessControlPolicy/>",
        document(("", "READ")),
        document((OTHER, "READ")).replace(b"<Permission>READ</Permission>", b""),
        b"<AccessControlPolicy><AccessControlList><Grant>a</Grant><Grant>b</Grant>"
        b"</AccessControlList></AccessControlPolicy>",
    ],
)
def test_nothing_else_is_an_acl(body: bytes) -> None:
    with pytest.raises(MalformedResponse):
        acl_of(parse_policy(body), body)


def test_ownership() -> None:
    rule = "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
    assert parse_ownership(f"<OwnershipControls>{rule}</OwnershipControls>".encode()) == (
        "BucketOwnerEnforced"
    )
    with pytest.raises(MalformedResponse):
        parse_ownership(b"<ListBucketResult/>")
