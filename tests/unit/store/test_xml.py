"""XML: what services write is read, what we write is XML, and no bytes whatever break a parser."""

import pytest
from hypothesis import example, given, strategies as st
from lxml import etree

from tagfs.errors import InvalidRequest, MalformedResponse
from tagfs.fs.mapping.paths import Root
from tagfs.store.http.messages import check_key
from tagfs.store.objects import ObjectType, Part
from tagfs.store.tags import TagSet
from tagfs.store.wire import documents, listings, uploads, xml

PARSERS = [
    listings.parse_listing,
    documents.parse_tag_set,
    uploads.parse_upload_id,
    uploads.parse_parts,
    uploads.parse_completed,
    uploads.parse_copied,
    xml.parse_error,
    documents.parse_deleted,
    documents.parse_bucket_info,
]
XML_TEXT = st.text(st.characters(codec="utf-8").filter(xml.is_representable), max_size=20)

NAMES = st.sampled_from(
    "ListBucketResult Tagging TagSet Tag Key Value Contents Size ETag LastModified Type "
    "IsTruncated NextMarker EncodingType CommonPrefixes Prefix InitiateMultipartUploadResult "
    "UploadId ListPartsResult Part PartNumber HashCrc64ecma CompleteMultipartUploadResult "
    "CopyObjectResult Error Code Message DeleteResult BucketInfo Bucket Name".split()
)
VALUES = st.sampled_from(["", "1", "-1", "true", "url", "%FF", "9" * 30, "2024-01-02", "a/b", "x"])


def _element(name, inner):
    return f"<{name}>{''.join(inner)}</{name}>"


TREES = st.recursive(
    VALUES,
    lambda inner: st.builds(_element, NAMES, st.lists(inner, max_size=4)),
    max_leaves=20,
)


@pytest.mark.parametrize("parse", PARSERS)
def test_any_bytes_give_a_value_or_our_error(parse):
    @given(st.one_of(st.binary(), TREES.map(str.encode), st.text().map(str.encode)))
    @example(b"")
    @example(b"<?xml version='1.0' encoding='nonsense'?><Error/>")
    @example(b"<?xml version='1.0' encoding='utf-16'?><Error/>")
    @example("<Error><Code>x</Code></Error>".encode("utf-16"))
    @example(b"<a:Error/>")
    @example(b"<Error xmlns='x'/>")
    @example(b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")
    def check(body):
        try:
            parse(body)
        except MalformedResponse:
            return

    check()


def test_entities_are_not_expanded():
    bomb = b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><Error><Code>&b;</Code></Error>'
    with pytest.raises(MalformedResponse, match="document type"):
        xml.parse_error(bomb)


def test_files_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    body = f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{secret}">]><Error><Code>&a;</Code></Error>'
    with pytest.raises(MalformedResponse):
        xml.parse_error(body.encode())


def test_huge_documents_are_refused():
    with pytest.raises(MalformedResponse, match="bytes"):
        xml.parse_error(b"<Error>" + b" " * xml.MAX_DOCUMENT + b"</Error>")


LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com">
<Name>b</Name><Prefix>d%2F</Prefix><EncodingType>url</EncodingType>
<IsTruncated>true</IsTruncated><NextContinuationToken>CgJiYw--</NextContinuationToken>
<Contents><Key>d%2Fa%20b%01%2B+%E4%B8%AD</Key><LastModified>2024-01-02T03:04:05.678Z</LastModified>
<ETag>"5B3C1A2E053D763E1B002CC607C5A0FE"</ETag><Type>Symlink</Type><Size>12</Size>
<StorageClass>IA</StorageClass><Owner><ID>1</ID></Owner></Contents>
<CommonPrefixes><Prefix>d%2Fsub%2F</Prefix></CommonPrefixes>
</ListBucketResult>"""


def test_a_listing():
    page = listings.parse_listing(LISTING.encode())
    (info,) = page.objects
    assert info.key == "d/a b\x01++中"
    assert info.size == 12
    assert info.etag == "5B3C1A2E053D763E1B002CC607C5A0FE"
    assert info.last_modified_ns == 1704164645_678_000_000
    assert (info.type, info.storage_class, info.detail) == (ObjectType.SYMLINK, "IA", None)
    assert page.prefixes == ("d/sub/",)
    assert page.token == "CgJiYw--"


def test_a_listing_in_which_plus_is_a_blank():
    (info,) = listings.parse_listing(LISTING.encode(), plus_is_blank=True).objects
    assert info.key == "d/a b\x01+ 中"


def test_a_listing_that_is_not_encoded_is_not_decoded():
    plain = LISTING.replace("<EncodingType>url</EncodingType>", "")
    (info,) = listings.parse_listing(plain.encode()).objects
    assert info.key == "d%2Fa%20b%01%2B+%E4%B8%AD"


def test_a_last_page_has_no_token():
    last = LISTING.replace("<IsTruncated>true", "<IsTruncated>false")
    assert listings.parse_listing(last.encode()).token is None


def test_a_page_without_a_marker_goes_on_after_its_last_entry():
    token = "<NextContinuationToken>CgJiYw--</NextContinuationToken>"
    page = listings.parse_listing(LISTING.replace(token, "").encode())
    assert page.token == "d/sub/"


def test_a_marker_is_encoded_like_a_key():
    token = "<NextContinuationToken>CgJiYw--</NextContinuationToken>"
    page = listings.parse_listing(LISTING.replace(token, "<NextMarker>d%2Fx</NextMarker>").encode())
    assert page.token == "d/x"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<Size>12</Size>", ""),
        ("<Size>12</Size>", "<Size>-1</Size>"),
        ("<Size>12</Size>", "<Size>1e3</Size>"),
        (".678Z", ".678"),
    ],
)
def test_a_listing_with_a_bad_entry_is_malformed(old, new):
    with pytest.raises(MalformedResponse):
        listings.parse_listing(LISTING.replace(old, new).encode())


def test_a_key_that_is_not_utf8_hides_itself_alone():
    """It is listed as what can be no file, beside all the others."""
    page = listings.parse_listing(LISTING.encode())
    bad = listings.parse_listing(LISTING.replace("%E4%B8%AD", "%FF").encode())
    assert bad.token == page.token
    hidden = [key for key in (*bad.prefixes, *(o.key for o in bad.objects)) if "\ufffd" in key]
    assert hidden
    assert all(Root().to_path(key) is None for key in hidden)
    for key in hidden:
        with pytest.raises(InvalidRequest):
            check_key(key)
    shown = {o.key for o in page.objects} | set(page.prefixes)
    assert {o.key for o in bad.objects} - shown <= set(hidden)
    marked = LISTING.replace("<NextContinuationToken>CgJiYw--</NextContinuationToken>", "")
    end = "</ListBucketResult>"
    body = marked.replace(end, f"<NextMarker>d%FF</NextMarker>{end}").encode()
    assert listings.parse_listing(body).token == "d\udcff"


@given(st.dictionaries(XML_TEXT.filter(bool), XML_TEXT, max_size=10))
@example({"a\rb": "\r\n \t", "<&>": "]]>"})
def test_tag_sets_survive(pairs):
    assert documents.parse_tag_set(documents.render_tag_set(pairs)) == TagSet(pairs)


@pytest.mark.parametrize("empty", ["<Tagging/>", "<Tagging><TagSet/></Tagging>"])
def test_no_tags(empty):
    assert documents.parse_tag_set(empty.encode()) == {}


def test_nothing_is_not_an_empty_tag_set():
    with pytest.raises(MalformedResponse):
        documents.parse_tag_set(b"")


def test_what_xml_cannot_carry_is_refused():
    with pytest.raises(InvalidRequest):
        documents.render_tag_set({"a\x01": ""})


@given(st.lists(XML_TEXT, max_size=5))
def test_keys_to_delete_are_xml(keys):
    root = etree.fromstring(documents.render_delete(keys))
    assert [node.text or "" for node in root.iterfind("Object/Key")] == keys
    assert root.findtext("Quiet") == "true"


def test_failed_deletes():
    body = (
        "<DeleteResult><EncodingType>url</EncodingType><Deleted><Key>a</Key></Deleted>"
        "<Error><Key>b%2Fc</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
        "</DeleteResult>"
    )
    assert documents.parse_deleted(body.encode()) == {"b/c": "AccessDenied: no"}
    with pytest.raises(MalformedResponse):
        documents.parse_deleted(b"")


def test_parts():
    body = (
        "<ListPartsResult><IsTruncated>true</IsTruncated>"
        "<NextPartNumberMarker>5</NextPartNumberMarker>"
        '<Part><PartNumber>5</PartNumber><ETag>"E"</ETag><Size>7</Size>'
        "<HashCrc64ecma>99</HashCrc64ecma></Part></ListPartsResult>"
    )
    page = uploads.parse_parts(body.encode())
    assert page == uploads.PartPage((Part(number=5, etag="E", size=7, crc64=99),), "5")


def test_a_copy_may_have_no_etag():
    assert uploads.parse_copied(b"<CopyObjectResult/>") == uploads.Copied("", None)
    for other in (b"", b"<ListBucketResult/>", b"<Error/>"):
        with pytest.raises(MalformedResponse):
            uploads.parse_copied(other)


def test_an_error():
    body = (
        b"<Error><Code>AccessDenied</Code><Message>m</Message><RequestId>r</RequestId>"
        b"<Endpoint>e</Endpoint></Error>"
    )
    assert xml.parse_error(body) == xml.ServiceError("AccessDenied", "m", "r", "e")
