"""Each source that asks a token service: what is set and written, and what the service is asked."""

import hashlib
import json
from typing import Any

from tests.loopback.store.token_services.kit import JWT, LATER, Source

# Roles, pods and single sign-on of AWS.

IRSA = {"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod"}
KEYS = "aws_access_key_id = long\naws_secret_access_key = L0NG-S3CRET\n"
ROLE = "role_arn = arn:aws:iam::1:role/prod\n"
SSO = "sso_account_id = 1\nsso_role_name = reader\n"
START = "https://x.awsapps.com/start"
SESSION = f"[sso-session s]\nsso_start_url = {START}\nsso_region = eu-west-1\n"
KEPT = json.dumps({"accessToken": JWT, "expiresAt": LATER})


def cached(name: str) -> str:
    return f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json"


AWS: dict[str, Source] = {
    "IRSA": Source("s3", IRSA, {}, ["AssumeRoleWithWebIdentity"]),
    "IRSA before the files": Source(
        "s3",
        IRSA,
        {".aws/credentials": f"[default]\n{KEYS}"},
        ["AssumeRoleWithWebIdentity"],
    ),
    "a web identity of a profile": Source(
        "s3",
        {"AWS_PROFILE": "prod"},
        {".aws/config": f"[profile prod]\n{ROLE}web_identity_token_file = ~/token\n"},
        ["AssumeRoleWithWebIdentity"],
    ),
    "a role by its source_profile": Source(
        "s3",
        {"AWS_PROFILE": "prod"},
        {
            ".aws/config": f"[profile prod]\n{ROLE}source_profile = base\n",
            ".aws/credentials": f"[base]\n{KEYS}",
        },
        ["AssumeRole"],
    ),
    "a role beside its key pair": Source(
        "s3",
        {},
        {".aws/credentials": f"[default]\n{KEYS}{ROLE}source_profile = default\n"},
        ["AssumeRole"],
    ),
    "a profile's role before IRSA": Source(
        "s3",
        IRSA,
        {".aws/credentials": f"[default]\n{KEYS}{ROLE}source_profile = default\n"},
        ["AssumeRole"],
    ),
    "a role by the environment's pair": Source(
        "s3",
        {"AWS_PROFILE": "prod"},
        {
            ".aws/config": f"[profile prod]\n{ROLE}source_profile = command\n"
            "[profile command]\ncredential_process = PYTHON HOME/print.py\n"
        },
        ["AssumeRole"],
    ),
    "SSO by a session": Source(
        "s3",
        {"AWS_PROFILE": "work"},
        {".aws/config": f"[profile work]\nsso_session = s\n{SSO}{SESSION}", cached("s"): KEPT},
        ["GetRoleCredentials"],
    ),
    "SSO as it was": Source(
        "s3",
        {},
        {
            ".aws/config": f"[default]\n{SSO}sso_region = eu-west-1\nsso_start_url = {START}\n",
            cached(START): KEPT,
        },
        ["GetRoleCredentials"],
    ),
}

# Roles, pods and profiles of Alibaba Cloud.

RRSA = {
    "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/pod",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/x",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "HOME/token",
}
AK = {"access_key_id": "long", "access_key_secret": "L0NG-S3CRET"}
RAM = {"ram_role_arn": "acs:ram::1:role/prod"}


def aliyun(*profiles: dict[str, Any]) -> str:
    return json.dumps({"current": profiles[0]["name"], "profiles": list(profiles)})


ALIBABA: dict[str, Source] = {
    "RRSA": Source("oss", RRSA, {}, ["AssumeRoleWithOIDC"]),
    "OSS_ROLE_ARN": Source(
        "oss",
        {
            "OSS_ACCESS_KEY_ID": "long",
            "OSS_ACCESS_KEY_SECRET": "L0NG-S3CRET",
            "OSS_ROLE_ARN": "acs:ram::1:role/x",
        },
        {},
        ["AssumeRole"],
    ),
    "the URI": Source("oss", {"ALIBABA_CLOUD_CREDENTIALS_URI": "URL/uri?a=1"}, {}, ["uri"]),
    "aliyun: RamRoleArn": Source(
        "oss",
        {},
        {".aliyun/config.json": aliyun({"name": "p", "mode": "RamRoleArn", **AK, **RAM})},
        ["AssumeRole"],
    ),
    "aliyun: OIDC": Source(
        "oss",
        {"ALIBABA_CLOUD_PROFILE": "p"},
        {
            ".aliyun/config.json": aliyun(
                {
                    "name": "p",
                    "mode": "OIDC",
                    "oidc_provider_arn": "x",
                    "oidc_token_file": "HOME/token",
                    **RAM,
                }
            )
        },
        ["AssumeRoleWithOIDC"],
    ),
    "aliyun: CredentialsURI": Source(
        "oss",
        {},
        {
            ".aliyun/config.json": aliyun(
                {"name": "p", "mode": "CredentialsURI", "credentials_uri": "URL/uri"}
            )
        },
        ["uri"],
    ),
    "ossutil: RamRoleArn": Source(
        "oss",
        {},
        {
            ".ossutilconfig": "[default]\nmode=RamRoleArn\naccessKeyID=long\n"
            "accessKeySecret=L0NG-S3CRET\nramRoleArn=acs:ram::1:role/x\nroleSessionName=me\n"
        },
        ["AssumeRole"],
    ),
    "credentials of the SDKs: ram_role_arn": Source(
        "oss",
        {},
        {
            ".alibabacloud/credentials": "[default]\ntype = ram_role_arn  # a comment\n"
            "access_key_id = long\naccess_key_secret = L0NG-S3CRET\nrole_arn = acs:x\n"
        },
        ["AssumeRole"],
    ),
    "credentials of the SDKs: oidc_role_arn": Source(
        "oss",
        {"ALIBABA_CLOUD_PROFILE": "pod"},
        {
            ".alibabacloud/credentials.ini": "[pod]\ntype = oidc_role_arn\nrole_arn = acs:x\n"
            "oidc_provider_arn = y\noidc_token_file_path = HOME/token\n"
        },
        ["AssumeRoleWithOIDC"],
    ),
}

# Agencies and federated users of Huawei Cloud.

AGENCY = {
    "HUAWEICLOUD_OIDC_AGENCY_URN": "iam::1:agency:pod",
    "HUAWEICLOUD_OIDC_PROVIDER_URN": "iam::1:oidc-provider:x",
    "HUAWEICLOUD_OIDC_TOKEN_FILE": "HOME/token",
}
FEDERATED = {"HUAWEICLOUD_SDK_IDP_ID": "idp", "HUAWEICLOUD_SDK_ID_TOKEN_FILE": "HOME/token"}

HUAWEI: dict[str, Source] = {
    "an agency": Source("obs", AGENCY, {}, ["assume-with-oidc"]),
    "a federated user": Source("obs", FEDERATED, {}, ["id-token", "securitytokens"]),
    "a federated user before a key pair": Source(
        "obs",
        {**FEDERATED, "HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "b"},
        {},
        ["id-token", "securitytokens"],
    ),
    "a federated user of the file": Source(
        "obs",
        {},
        {".huaweicloud/credentials": "[basic]\nidp_id = idp\nid_token_file = HOME/token\n"},
        ["id-token", "securitytokens"],
    ),
    "a pod of CCE": Source(
        "obs",
        {
            "HC_CONTAINER_CREDENTIALS_FULL_URI": "URL/pod",
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE": "HOME/token",
        },
        {},
        ["pod"],
    ),
}

SOURCES = AWS | ALIBABA | HUAWEI
