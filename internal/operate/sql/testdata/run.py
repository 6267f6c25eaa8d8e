"""Runs or parses SQL statements for tests.

Reads {"engine": …, "statements": […]} from standard input. For duckdb and
clickhouse it prints the rows of the last statement as JSON; for any other engine it
parses the statements in the engine's dialect.
"""

import json
import pathlib
import shutil
import sys
import tempfile


def install_httpfs(connection, folder):
    """Installs the extension httpfs from its Python package, so that INSTALL finds it there."""
    import duckdb_extension_httpfs

    (extension,) = pathlib.Path(duckdb_extension_httpfs.__file__).parent.glob("extensions/*/httpfs.duckdb_extension")
    platform = connection.execute("PRAGMA platform").fetchone()[0]
    target = pathlib.Path(folder, extension.parent.name, platform)
    target.mkdir(parents=True)
    shutil.copy(extension, target)
    connection.execute(f"SET extension_directory = '{folder}'")


def duckdb(statements):
    import duckdb

    connection = duckdb.connect()
    with tempfile.TemporaryDirectory() as folder:
        if any("httpfs" in statement for statement in statements):
            install_httpfs(connection, folder)
        return rows(connection, statements)


def rows(connection, statements):
    for statement in statements:
        result = connection.execute(statement)
    return [[str(value) if value is not None else None for value in row] for row in result.fetchall()]


def clickhouse(statements):
    from chdb.session import Session

    session = Session()
    for statement in statements:
        result = session.query(statement.rstrip().rstrip(";"), "JSONCompactStringsEachRow")
    return [json.loads(line) for line in str(result).splitlines() if line]


def parse(engine, statements):
    import sqlfluff

    dialect = {"spark": "sparksql"}.get(engine, engine)
    for statement in statements:
        sqlfluff.parse(statement, dialect=dialect)  # an unparsable section is an exception
    return []


task = json.load(sys.stdin)
run = {"duckdb": duckdb, "clickhouse": clickhouse}.get(task["engine"])
json.dump(run(task["statements"]) if run else parse(task["engine"], task["statements"]), sys.stdout)
