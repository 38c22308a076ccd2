"""The SQL of the PostgreSQL index, with the names of a knowledge's tables left open. It refuses to hold any value."""

from __future__ import annotations

from typing import LiteralString

SESSION: LiteralString = """
SET jit = off; SET plan_cache_mode = force_custom_plan;
SET hnsw.iterative_scan = relaxed_order; SET hnsw.ef_search = 400; SET hnsw.max_scan_tuples = 1000000; SET hnsw.scan_mem_multiplier = 16;
"""  # the order is made exact afterwards; older versions of pgvector find too few behind a filter, which is then scanned
CREATE: LiteralString = """
CREATE TABLE {states} (state bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, passages bigint NOT NULL, words bigint NOT NULL);
CREATE TABLE {passages} (id text NOT NULL, document text COLLATE "C" NOT NULL, first bigint NOT NULL, last bigint NOT NULL,
    text text NOT NULL, headings text[] NOT NULL, readers text[] NOT NULL, facts text[] NOT NULL,
    words tsvector NOT NULL, length integer NOT NULL, vector vector({dimensions}) NOT NULL, born bigint NOT NULL, died bigint);
CREATE INDEX ON {passages} USING gin (words);
CREATE INDEX ON {passages} USING gin (facts);
CREATE INDEX ON {passages} (document);
CREATE INDEX ON {passages} (born);
CREATE INDEX ON {passages} (died) WHERE died IS NOT NULL;
"""
BACK: LiteralString = """
LOCK TABLE {states} IN EXCLUSIVE MODE;
DELETE FROM {passages} WHERE born > {state};
UPDATE {passages} SET died = NULL WHERE died > {state};
DELETE FROM {states} WHERE state > {state};
"""
BEGIN: LiteralString = """
INSERT INTO {states} (passages, words)
SELECT coalesce(max(passages), 0), coalesce(max(words), 0) FROM {states} WHERE state = %(state)s RETURNING state
"""
REMOVE: LiteralString = """
WITH gone AS (UPDATE {passages} SET died = %(new)s WHERE document = ANY(%(remove)s) AND died IS NULL RETURNING length)
UPDATE {states} SET passages = passages - (SELECT count(*) FROM gone), words = words - (SELECT coalesce(sum(length), 0) FROM gone)
WHERE state = %(new)s
"""
ADD: LiteralString = """
COPY {passages} (id, document, first, last, text, headings, readers, facts, words, length, vector, born) FROM STDIN
"""
COUNT: LiteralString = "UPDATE {states} SET passages = passages + %(added)s, words = words + %(words)s WHERE state = %(new)s"
SHOWN: LiteralString = """
born <= %(state)s AND (died IS NULL OR died > %(state)s)
AND (%(readers)s::text[] IS NULL OR readers && %(readers)s::text[])
"""
COLUMNS: LiteralString = "id, document, first, last, text, headings"
DENSE: LiteralString = """
SELECT {columns}, 1 - (vector <=> %(vector)s::vector) FROM {passages} WHERE {shown}
ORDER BY 0 + (vector <=> %(vector)s::vector), document, first LIMIT %(k)s
"""  # the graph is of the distance alone: a sum is computed for every row
GRAPH: LiteralString = """
CREATE INDEX IF NOT EXISTS {graph} ON {passages} USING hnsw (vector vector_cosine_ops)
    WITH (m = 24, ef_construction = 128) WHERE died IS NULL;
ANALYZE {passages};
"""
GRAPHED: LiteralString = "SELECT to_regclass('rung.{graph}')"
UNGRAPH: LiteralString = "DROP INDEX IF EXISTS rung.{graph}"
SIZE: LiteralString = "SELECT passages FROM {states} WHERE state = %(state)s"
SHARE: LiteralString = "SELECT count(*) FROM (SELECT FROM {passages} WHERE {shown} LIMIT %(k)s) AS found"
NEAR: LiteralString = """
WITH living AS MATERIALIZED (
    SELECT {columns}, vector <=> %(vector)s::vector AS far FROM {passages} WHERE died IS NULL AND {shown}
    ORDER BY vector <=> %(vector)s::vector LIMIT %(wide)s),
died AS MATERIALIZED (
    SELECT {columns}, vector <=> %(vector)s::vector AS far FROM {passages} WHERE died > %(state)s AND {shown}
    ORDER BY 0 + (vector <=> %(vector)s::vector) LIMIT %(wide)s)
SELECT {columns}, 1 - far FROM (SELECT * FROM living UNION ALL SELECT * FROM died) AS near
ORDER BY 0 + far, document, first LIMIT %(k)s
"""  # the graph's order is nearly right, and PostgreSQL would take it as given
WORDS: LiteralString = """
WITH size AS (SELECT passages, words / greatest(passages, 1)::float8 AS mean FROM {states} WHERE state = %(state)s),
asked AS MATERIALIZED (
    SELECT term, times, (SELECT count(*) FROM {passages} WHERE words @@ ('''' || term || '''')::tsquery
        AND born <= %(state)s AND (died IS NULL OR died > %(state)s)) AS held
    FROM unnest(%(terms)s::text[], %(times)s::float8[]) AS pair (term, times)),
weighed AS MATERIALIZED (SELECT term, times * ln(1 + (passages - held + 0.5) / (held + 0.5)) AS weight FROM asked, size),
found AS (SELECT * FROM {passages} WHERE words @@ %(any)s::tsquery AND {shown}),
scored AS (
    SELECT {columns}, (SELECT sum(weight * cardinality(positions) / (cardinality(positions)
            + {k1} * (1 - {b} + {b} * length / greatest(mean, 1e-9))))
        FROM unnest(words) JOIN weighed ON term = lexeme) AS score
    FROM found, size)
SELECT {columns}, score FROM scored ORDER BY score DESC, document, first LIMIT %(k)s
"""  # materialized: else PostgreSQL may count how many passages hold a word once for every passage
PASSAGES: LiteralString = "SELECT {columns} FROM {passages} WHERE {shown} ORDER BY document, first"
STORED: LiteralString = """
SELECT {columns}, vector::real[] FROM {passages} WHERE {shown} AND document = ANY(%(documents)s) ORDER BY document, first
"""
TIDY: LiteralString = """
DELETE FROM {passages} WHERE died IS NOT NULL
    AND NOT EXISTS (SELECT FROM unnest(%(keep)s::bigint[]) AS kept WHERE born <= kept AND kept < died);
DELETE FROM {states} WHERE state < ALL(%(keep)s::bigint[])
"""
