"""Credentials in the files of Huawei Cloud's tools: obsutil's, and the SDKs'."""

import base64
import binascii

from tagfs.errors import BadCredentials
from tagfs.store.credentials.field_names import has_pair, parse_ini, parse_key_pair, parse_lines
from tagfs.store.credentials.huawei_tokens import Federation
from tagfs.store.credentials.private_files import read_private, read_shown
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.values import Credentials, NotAvailable

_AES_BLOCK = 16


class Obsutil:
    """`~/.obsutilconfig`, where its keys are not encrypted."""

    name = "~/.obsutilconfig"

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        path = self._around.own(".obsutilconfig")
        # obsutil lets a group read the file; that matters only where there is something to read.
        fields = self.fields()
        pair = {name: fields.get(name, "") for name in ("ak", "sk", "token")}
        if not pair["ak"] or not pair["sk"]:
            raise NotAvailable(f"{path} (no key pair)")
        if _is_encrypted(pair["ak"]) and _is_encrypted(pair["sk"]):
            raise BadCredentials(
                f"{path}: obsutil has encrypted the keys for itself: use credentials=FILE"
            )
        read_private(path)
        return parse_key_pair(pair, str(path))

    def fields(self) -> dict[str, str]:
        """Return what the file says.

        Raises:
            NotAvailable, BadCredentials
        """
        path = self._around.own(".obsutilconfig")
        return parse_lines(read_shown(path), str(path))


def _is_encrypted(value: str) -> bool:
    """Tell whether a value is what obsutil makes of a key: AES blocks in base64."""
    try:
        data = base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return bool(data) and len(data) % _AES_BLOCK == 0


class HuaweiFile:
    """`~/.huaweicloud/credentials` of the SDKs: the section [basic], or the one that is named."""

    name = "~/.huaweicloud/credentials"

    def __init__(self, profile: str | None, around: Surroundings) -> None:
        self._profile = profile or "basic"
        self._around = around

    def load(self) -> Credentials:
        """Read the file; see `Source.load`."""
        named = self._around.variable("HUAWEICLOUD_SDK_CREDENTIALS_FILE")
        path = self._around.expand(named) if named else self._around.own(".huaweicloud/credentials")
        fields = parse_ini(read_private(path), str(path)).get(self._profile)
        if fields is None:
            raise NotAvailable(f"{path} (no section [{self._profile}])")
        where = f"{path} [{self._profile}]"
        idp, file = fields.get("idp_id", ""), fields.get("id_token_file", "")
        if bool(idp) != bool(file):
            raise BadCredentials(f"{where} has one of idp_id and id_token_file alone")
        if idp:
            endpoint = fields.get("iam_endpoint", "")
            federation = Federation(idp=idp, file=file, named_by=where, endpoint=endpoint)
            return federation.load(self._around)
        if not has_pair(fields):
            raise NotAvailable(f"{where} (no key pair)")
        return parse_key_pair(fields, where)
