"""Every example of seeds/oss-object-tagging.txt, run as written but for names and endpoint.

The examples are the vendor's documentation: comments are left out, statements are not changed.
They are run as programs of their own, and what they print is compared.
"""

import os
import subprocess
import sys
from pathlib import Path

import oss2
import pytest

from tests.emulator.emulation import KEY_ID, SECRET, Emulator

PUT = """
import oss2
from oss2.headers import OSS_OBJECT_TAGGING

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

object_name = '<yourObjectName>'

headers = dict()
headers[OSS_OBJECT_TAGGING] = "k1=v1&k2=v2&k3=v3"

result = bucket.put_object(object_name, 'content', headers=headers)
print('http response status: ', result.status)

result = bucket.get_object_tagging('<yourObjectName>')
for key in result.tag_set.tagging_rule:
    print('tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))
"""
PUT_PRINTS = """http response status:  200
tagging key: k1, value: v1
tagging key: k2, value: v2
tagging key: k3, value: v3
"""

MULTIPART = """
import os
import oss2
from oss2 import SizedFileAdapter, determine_part_size
from oss2.models import PartInfo
from oss2.headers import OSS_OBJECT_TAGGING

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

object_name = '<yourObjectName>'
filename = '<yourLocalFile>'

total_size = os.path.getsize(filename)
part_size = determine_part_size(total_size, preferred_size=100 * 1024)

headers = dict()
headers[OSS_OBJECT_TAGGING] = 'k1=v1&k2=v2'

upload_id = bucket.init_multipart_upload(object_name, headers=headers).upload_id
parts = []

with open(filename, 'rb') as fileobj:
    part_number = 1
    offset = 0
    while offset < total_size:
        num_to_upload = min(part_size, total_size - offset)
        result = bucket.upload_part(object_name, upload_id, part_number,
                                    SizedFileAdapter(fileobj, num_to_upload))
        parts.append(PartInfo(part_number, result.etag))

        offset += num_to_upload
        part_number += 1

result = bucket.complete_multipart_upload(object_name, upload_id, parts)
print('http response status: ', result.status)

result = bucket.get_object_tagging(object_name)
for key in result.tag_set.tagging_rule:
    print('tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))

with open(filename, 'rb') as fileobj:
    assert bucket.get_object(object_name).read() == fileobj.read()
"""
MULTIPART_PRINTS = """http response status:  200
tagging key: k1, value: v1
tagging key: k2, value: v2
"""

APPEND = """
import oss2
from oss2.headers import OSS_OBJECT_TAGGING

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

object_name = '<yourObjectName>'

headers = dict()
headers[OSS_OBJECT_TAGGING] = "k1=v1&k2=v2&k3=v3"

result = bucket.append_object(object_name, 0, '<yourContent>', headers=headers)

result = bucket.get_object_tagging('<yourObjectName>')
for key in result.tag_set.tagging_rule:
    print('tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))
"""
APPEND_PRINTS = """tagging key: k1, value: v1
tagging key: k2, value: v2
tagging key: k3, value: v3
"""

RESUMABLE = """
import oss2
from oss2.headers import OSS_OBJECT_TAGGING

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

object_name = '<yourObjectName>'
local_file = '<yourLocalFile>'

headers = dict()
headers[OSS_OBJECT_TAGGING] = "k1=v1&k2=v2&k3=v3"

oss2.resumable_upload(bucket, object_name, local_file, headers=headers)

result = bucket.get_object_tagging(object_name)
for key in result.tag_set.tagging_rule:
    print('object tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))
"""
RESUMABLE_PRINTS = """object tagging key: k1, value: v1
object tagging key: k2, value: v2
object tagging key: k3, value: v3
"""

TAG_UPLOADED = """
import oss2
from oss2.models import Tagging, TaggingRule

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

rule = TaggingRule()
rule.add('key1', 'value1')
rule.add('key2', 'value2')

tagging = Tagging(rule)

result = bucket.put_object_tagging('<yourObjectName>', tagging)
print('http response status:', result.status)
"""
TAG_UPLOADED_PRINTS = "http response status: 200\n"

COPY = """
import oss2
from oss2.headers import OSS_OBJECT_TAGGING, OSS_OBJECT_TAGGING_COPY_DIRECTIVE

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

src_object_name = '<yourSrcObject>'
dest_object_name1 = '<yourtDestObjectName1>'
dest_object_name2 = '<yourtDestObjectName2>'

headers=dict()
headers[OSS_OBJECT_TAGGING_COPY_DIRECTIVE] = 'COPY'
bucket.copy_object(bucket.bucket_name, src_object_name, dest_object_name1, headers=headers)

headers[OSS_OBJECT_TAGGING_COPY_DIRECTIVE] = 'REPLACE'
headers[OSS_OBJECT_TAGGING] = "key4=value4&key5=value5"
bucket.copy_object(bucket.bucket_name, src_object_name, dest_object_name2, headers=headers)

result = bucket.get_object_tagging(src_object_name)
for key in result.tag_set.tagging_rule:
    print('src tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))

result = bucket.get_object_tagging(dest_object_name1)
for key in result.tag_set.tagging_rule:
    print('dest1 object tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))

result = bucket.get_object_tagging(dest_object_name2)
for key in result.tag_set.tagging_rule:
    print('dest2 object tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))
"""
COPY_PRINTS = """src tagging key: src1, value: one
src tagging key: src2, value: two
dest1 object tagging key: src1, value: one
dest1 object tagging key: src2, value: two
dest2 object tagging key: key4, value: value4
dest2 object tagging key: key5, value: value5
"""

COPY_LARGE = """
import os
import oss2
from oss2 import determine_part_size
from oss2.models import PartInfo
from oss2.headers import OSS_OBJECT_TAGGING

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

src_object_name = '<yourSrcObject>'
dest_object_name = '<yourDestObject>'

head_info = bucket.head_object(src_object_name)
total_size = head_info.content_length
print('src object size:', total_size)

part_size = determine_part_size(total_size, preferred_size=100 * 1024)
print('part_size:', part_size)

headers = dict()
headers[OSS_OBJECT_TAGGING] = 'k3=v3'

upload_id = bucket.init_multipart_upload(dest_object_name, headers=headers).upload_id
parts = []

part_number = 1
offset = 0
while offset < total_size:
    num_to_upload = min(part_size, total_size - offset)
    end = offset + num_to_upload - 1;
    result = bucket.upload_part_copy(bucket.bucket_name, src_object_name, (offset, end), dest_object_name, upload_id, part_number)
    parts.append(PartInfo(part_number, result.etag))

    offset += num_to_upload
    part_number += 1

result = bucket.complete_multipart_upload(dest_object_name, upload_id, parts)

head_info = bucket.head_object(dest_object_name)

dest_object_size = head_info.content_length
print('dest object size:', dest_object_size)

assert dest_object_size == total_size

result = bucket.get_object_tagging(src_object_name)
for key in result.tag_set.tagging_rule:
    print('src tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))

result = bucket.get_object_tagging(dest_object_name)
for key in result.tag_set.tagging_rule:
    print('dest tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))
"""  # noqa: E501 - the vendor's line
COPY_LARGE_PRINTS = """src object size: 250017
part_size: 102400
dest object size: 250017
src tagging key: src1, value: one
src tagging key: src2, value: two
dest tagging key: k3, value: v3
"""

SYMLINK = """
import oss2
from oss2.headers import OSS_OBJECT_TAGGING

auth = oss2.Auth('<yourAccessKeyId>', '<yourAccessKeySecret>')
bucket = oss2.Bucket(auth, 'http://oss-cn-hangzhou.aliyuncs.com', '<yourBucketName>')

object_name = '<yourObjectName>'
symlink_name = '<yourSymlinkName>'

headers = dict()
headers[OSS_OBJECT_TAGGING] = "k1=v1&k2=v2&k3=v3"

result = bucket.put_symlink(object_name, symlink_name, headers=headers)
print('http response status: ', result.status)

result = bucket.get_object_tagging(symlink_name)
for key in result.tag_set.tagging_rule:
    print('tagging key: {}, value: {}'.format(key, result.tag_set.tagging_rule[key]))
"""

EXAMPLES = {
    "put_object": (PUT, PUT_PRINTS),
    "multipart_upload": (MULTIPART, MULTIPART_PRINTS),
    "append_object": (APPEND, APPEND_PRINTS),
    "resumable_upload": (RESUMABLE, RESUMABLE_PRINTS),
    "put_object_tagging": (TAG_UPLOADED, TAG_UPLOADED_PRINTS),
    "copy_object": (COPY, COPY_PRINTS),
    "upload_part_copy": (COPY_LARGE, COPY_LARGE_PRINTS),
    "put_symlink": (SYMLINK, PUT_PRINTS),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(
    example: str, emulator: Emulator, bucket: oss2.Bucket, name: str, tmp_path: Path
) -> None:
    program, prints = EXAMPLES[example]
    local_file = tmp_path / "local file"
    local_file.write_bytes(bytes(range(251)) * 996 + b"x" * 21)
    assert local_file.stat().st_size == 250_017
    if example == "put_object_tagging":
        bucket.put_object("example object", b"uploaded before")
    if "copy" in example:
        with local_file.open("rb") as file:
            tags = {"x-oss-tagging": "src1=one&src2=two"}
            bucket.put_object("source object", file, headers=tags)
    for placeholder, value in [
        ("<yourAccessKeyId>", KEY_ID),
        ("<yourAccessKeySecret>", SECRET),
        ("http://oss-cn-hangzhou.aliyuncs.com", emulator.url),
        ("<yourBucketName>", name),
        ("<yourObjectName>", "example object"),
        ("<yourLocalFile>", str(local_file)),
        ("<yourSrcObject>", "source object"),
    ]:
        program = program.replace(placeholder, value)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "HOME": str(tmp_path)},  # resumable_upload keeps its notes there
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.stderr, result.stdout) == ("", prints)
