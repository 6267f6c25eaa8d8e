"""Uses the S3 API of the local pipeline with boto3 and with MinIO's client."""
import io
import sys

import boto3
import botocore.exceptions
import minio

url, bucket = sys.argv[1], "archive"
body = b"x" * (12 << 20)  # more than one part


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: {got!r}, want {want!r}")


s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
s3.upload_fileobj(io.BytesIO(body), bucket, "boto3/a b+ü")
head = s3.head_object(Bucket=bucket, Key="boto3/a b+ü")
check("boto3 head", (head["ContentLength"], head["ContentType"]), (len(body), "application/octet-stream"))
got = io.BytesIO()
s3.download_fileobj(bucket, "boto3/a b+ü", got)
check("boto3 download", got.getvalue() == body, True)
check("boto3 range", s3.get_object(Bucket=bucket, Key="boto3/a b+ü", Range="bytes=-3")["Body"].read(), b"xxx")
for i in range(5):
    s3.put_object(Bucket=bucket, Key=f"boto3/pages/{i}", Body=b"1")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="boto3/", PaginationConfig={"PageSize": 2})
keys = [o["Key"] for page in pages for o in page["Contents"]]
check("boto3 list", keys, ["boto3/a b+ü"] + [f"boto3/pages/{i}" for i in range(5)])
try:
    s3.put_object(Bucket=bucket, Key="boto3/pages/0", Body=b"2", IfNoneMatch="*")
    sys.exit("boto3: a second If-None-Match succeeded")
except botocore.exceptions.ClientError as e:
    check("boto3 If-None-Match", e.response["Error"]["Code"], "PreconditionFailed")
try:
    s3.get_object(Bucket=bucket, Key="none")
    sys.exit("boto3: a missing object was read")
except s3.exceptions.NoSuchKey:
    pass
s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
check("boto3 delete", s3.list_objects_v2(Bucket=bucket, Prefix="boto3/")["KeyCount"], 0)

m = minio.Minio(url.removeprefix("http://"), "any", "anything", secure=False)
check("minio bucket", m.bucket_exists(bucket), True)
m.put_object(bucket, "minio/x", io.BytesIO(body), len(body))
m.put_object(bucket, "minio/unknown length", io.BytesIO(body), -1, part_size=5 << 20)
stat = m.stat_object(bucket, "minio/x")
check("minio stat", (stat.size, stat.last_modified is None), (len(body), False))
check("minio get", m.get_object(bucket, "minio/unknown length").read() == body, True)
check("minio list", [o.object_name for o in m.list_objects(bucket, prefix="minio/")], ["minio/unknown length", "minio/x"])
m.remove_object(bucket, "minio/x")
try:
    m.stat_object(bucket, "minio/x")
    sys.exit("minio: a removed object has a stat")
except minio.error.S3Error as e:
    check("minio stat of a missing object", e.code, "NoSuchKey")
print("ok")
