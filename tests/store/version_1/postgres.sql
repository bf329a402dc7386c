SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.lineage_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'append-only: % refuses %', TG_TABLE_NAME, TG_OP; END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.activity (
    seq bigint NOT NULL,
    activity text NOT NULL,
    kind text NOT NULL,
    agent text NOT NULL,
    at timestamp with time zone NOT NULL,
    code_version text NOT NULL,
    batch text,
    parameters text NOT NULL
);
CREATE TABLE public.annotation (
    id bigint NOT NULL,
    asset_id bigint NOT NULL
);
CREATE TABLE public.annotator (
    id bigint NOT NULL,
    pseudonym text NOT NULL,
    commitment text NOT NULL,
    kind text NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE public.asset (
    id bigint NOT NULL,
    name text NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE public.asset_fact (
    id bigint NOT NULL,
    asset_id bigint NOT NULL,
    seq bigint NOT NULL,
    uri text,
    width integer,
    height integer,
    digest text,
    n_bytes bigint
);
CREATE SEQUENCE public.asset_fact_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.asset_fact_id_seq OWNED BY public.asset_fact.id;
CREATE TABLE public.attribute_document (
    id bigint NOT NULL,
    digest bigint NOT NULL,
    document text NOT NULL
);
CREATE SEQUENCE public.attribute_document_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attribute_document_id_seq OWNED BY public.attribute_document.id;
CREATE TABLE public.batch (
    id bigint NOT NULL,
    tag text NOT NULL,
    task text NOT NULL,
    schema_id bigint NOT NULL,
    kind text NOT NULL,
    vendor text,
    priority integer NOT NULL,
    policy text NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE public.dataset_version (
    id bigint NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    seq bigint NOT NULL,
    document text NOT NULL
);
CREATE SEQUENCE public.dataset_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.dataset_version_id_seq OWNED BY public.dataset_version.id;
CREATE TABLE public.gold (
    id bigint NOT NULL,
    revision_id bigint NOT NULL,
    seq bigint NOT NULL,
    schema_id bigint NOT NULL,
    edge_case text
);
CREATE SEQUENCE public.gold_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gold_id_seq OWNED BY public.gold.id;
CREATE TABLE public.label_class (
    id bigint NOT NULL,
    name text NOT NULL
);
CREATE SEQUENCE public.label_class_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.label_class_id_seq OWNED BY public.label_class.id;
CREATE TABLE public.label_schema (
    id bigint NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    digest text NOT NULL,
    document text NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE public.revision (
    id bigint NOT NULL,
    annotation_id bigint NOT NULL,
    seq bigint NOT NULL,
    operation text NOT NULL,
    supersedes bigint,
    annotator_id bigint NOT NULL,
    class_id bigint NOT NULL,
    kind text NOT NULL,
    x_min double precision,
    y_min double precision,
    x_max double precision,
    y_max double precision,
    attributes_id bigint NOT NULL,
    stage text NOT NULL,
    schema_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    origin text NOT NULL,
    labelled_at timestamp with time zone
);
CREATE TABLE public.stage_event (
    id bigint NOT NULL,
    revision_id bigint NOT NULL,
    seq bigint NOT NULL,
    stage text NOT NULL,
    annotator_id bigint NOT NULL,
    basis text NOT NULL,
    comment text
);
CREATE VIEW public.revisions AS
 SELECT r.id AS revision,
    r.annotation_id AS annotation,
    r.seq,
    r.operation,
    r.supersedes,
    a.name AS asset,
    p.pseudonym AS annotator,
    c.name AS class,
    r.kind,
    r.x_min,
    r.y_min,
    r.x_max,
    r.y_max,
    d.document AS attributes,
    COALESCE(( SELECT e.stage
           FROM public.stage_event e
          WHERE (e.revision_id = r.id)
          ORDER BY e.id DESC
         LIMIT 1), r.stage) AS stage,
    r.stage AS entry_stage,
    ((s.name || '@'::text) || s.version) AS schema,
    b.tag AS batch,
    r.origin,
    r.labelled_at
   FROM (((((((public.revision r
     JOIN public.annotation n ON ((n.id = r.annotation_id)))
     JOIN public.asset a ON ((a.id = n.asset_id)))
     JOIN public.annotator p ON ((p.id = r.annotator_id)))
     JOIN public.label_class c ON ((c.id = r.class_id)))
     JOIN public.attribute_document d ON ((d.id = r.attributes_id)))
     JOIN public.label_schema s ON ((s.id = r.schema_id)))
     JOIN public.batch b ON ((b.id = r.batch_id)));
CREATE VIEW public.labels AS
 SELECT v.revision,
    v.annotation,
    v.seq,
    v.operation,
    v.supersedes,
    v.asset,
    v.annotator,
    v.class,
    v.kind,
    v.x_min,
    v.y_min,
    v.x_max,
    v.y_max,
    v.attributes,
    v.stage,
    v.entry_stage,
    v.schema,
    v.batch,
    v.origin,
    v.labelled_at
   FROM public.revisions v
  WHERE ((v.operation <> 'retract'::text) AND (NOT (EXISTS ( SELECT 1
           FROM public.revision n
          WHERE ((n.annotation_id = v.annotation) AND (n.id > v.revision))))));
CREATE TABLE public.log_entry (
    seq bigint NOT NULL,
    outcome text NOT NULL,
    first_revision bigint,
    n_revisions bigint NOT NULL,
    leaf text NOT NULL,
    root text NOT NULL
);
CREATE TABLE public.person (
    annotator_id bigint NOT NULL,
    handle text NOT NULL,
    tool text NOT NULL,
    salt text NOT NULL
);
CREATE TABLE public.roster (
    id bigint NOT NULL,
    seq bigint NOT NULL,
    asset_id bigint NOT NULL,
    annotator_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    presence text NOT NULL,
    answered_at timestamp with time zone,
    lead_time_s double precision
);
CREATE SEQUENCE public.roster_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.roster_id_seq OWNED BY public.roster.id;
CREATE TABLE public.run (
    id bigint NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    digest text NOT NULL,
    at timestamp with time zone NOT NULL,
    document text NOT NULL
);
CREATE SEQUENCE public.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_id_seq OWNED BY public.run.id;
CREATE TABLE public.source (
    id bigint NOT NULL,
    seq bigint NOT NULL,
    path text NOT NULL,
    digest text NOT NULL,
    n_bytes bigint NOT NULL
);
CREATE SEQUENCE public.source_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.source_id_seq OWNED BY public.source.id;
CREATE SEQUENCE public.stage_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.stage_event_id_seq OWNED BY public.stage_event.id;
CREATE TABLE public.state_event (
    id bigint NOT NULL,
    seq bigint NOT NULL,
    subject text NOT NULL,
    subject_id bigint NOT NULL,
    state text NOT NULL,
    reason text NOT NULL
);
CREATE SEQUENCE public.state_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.state_event_id_seq OWNED BY public.state_event.id;
CREATE TABLE public.store_info (
    key text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.verdict (
    id bigint NOT NULL,
    revision_id bigint NOT NULL,
    seq bigint NOT NULL,
    annotator_id bigint NOT NULL,
    verdict text NOT NULL,
    comment text
);
CREATE SEQUENCE public.verdict_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.verdict_id_seq OWNED BY public.verdict.id;
CREATE TABLE public.version_tag (
    tag text NOT NULL,
    version text NOT NULL
);
ALTER TABLE ONLY public.asset_fact ALTER COLUMN id SET DEFAULT nextval('public.asset_fact_id_seq'::regclass);
ALTER TABLE ONLY public.attribute_document ALTER COLUMN id SET DEFAULT nextval('public.attribute_document_id_seq'::regclass);
ALTER TABLE ONLY public.dataset_version ALTER COLUMN id SET DEFAULT nextval('public.dataset_version_id_seq'::regclass);
ALTER TABLE ONLY public.gold ALTER COLUMN id SET DEFAULT nextval('public.gold_id_seq'::regclass);
ALTER TABLE ONLY public.label_class ALTER COLUMN id SET DEFAULT nextval('public.label_class_id_seq'::regclass);
ALTER TABLE ONLY public.roster ALTER COLUMN id SET DEFAULT nextval('public.roster_id_seq'::regclass);
ALTER TABLE ONLY public.run ALTER COLUMN id SET DEFAULT nextval('public.run_id_seq'::regclass);
ALTER TABLE ONLY public.source ALTER COLUMN id SET DEFAULT nextval('public.source_id_seq'::regclass);
ALTER TABLE ONLY public.stage_event ALTER COLUMN id SET DEFAULT nextval('public.stage_event_id_seq'::regclass);
ALTER TABLE ONLY public.state_event ALTER COLUMN id SET DEFAULT nextval('public.state_event_id_seq'::regclass);
ALTER TABLE ONLY public.verdict ALTER COLUMN id SET DEFAULT nextval('public.verdict_id_seq'::regclass);
INSERT INTO public.activity VALUES (1, '019ca6b1dfe8f5b165224a58b791', 'schema_add', 'a-35vpdwbqhzq43bwd', '2026-03-01 00:00:01+00', '0.1.0', NULL, '{"schema":"things@1.0"}');
INSERT INTO public.activity VALUES (2, '019ca6b1e3d096762e6116c6e9c9', 'schema_lock', 'a-35vpdwbqhzq43bwd', '2026-03-01 00:00:02+00', '0.1.0', NULL, '{"digest":"e767d871c06d321626d4e3fa303c8a1492624c8e23ea9e5b84bd2a774b3b5a94","reason":"","schema":"things@1.0"}');
INSERT INTO public.activity VALUES (3, '019ca6b1e7b82d99bf358c2e0718', 'batch_create', 'a-35vpdwbqhzq43bwd', '2026-03-01 00:00:03+00', '0.1.0', 'b1', '{"kind":"archive","schema":"things@1.0","tag":"b1","task":"detection"}');
INSERT INTO public.activity VALUES (4, '019ca6b1ef88822ce47ca8c74107', 'import', 'a-35vpdwbqhzq43bwd', '2026-03-01 00:00:05+00', '0.1.0', 'b1', '{"annotator_given":false,"edge_tolerance_px":1.0,"format":"label-studio","identity":"auto","schema":"things@1.0","stage":"submitted","whole":true}');
INSERT INTO public.activity VALUES (5, '019ca6b1fb4087376f07bcb81287', 'import', 'a-35vpdwbqhzq43bwd', '2026-03-01 00:00:08+00', '0.1.0', 'b1', '{"annotator_given":false,"edge_tolerance_px":1.0,"format":"label-studio","identity":"auto","schema":"things@1.0","stage":"submitted","whole":true}');
INSERT INTO public.annotation VALUES (1, 1);
INSERT INTO public.annotation VALUES (2, 1);
INSERT INTO public.annotation VALUES (3, 2);
INSERT INTO public.annotator VALUES (1, 'a-35vpdwbqhzq43bwd', '316b50b57a0f11a77425c2773eb00cf74e6a54525d19501c731a7b81043b905b', 'person', 1);
INSERT INTO public.annotator VALUES (2, 'a-4zwlbzfswp2nlstd', '0e097e387db367820adabb541e824d7af29fb15c52a42947254cf28f5cdb6751', 'person', 4);
INSERT INTO public.annotator VALUES (3, 'a-73mlnobvpzcm3eb2', '508cde172ba65bd391f78bbd1be8843597616cb6600e7257945c5e6ab1e06be2', 'person', 4);
INSERT INTO public.annotator VALUES (4, 'a-3wturjq6akniuwyc', 'ec9ee665dc79d4983b9465ab4a3d91405bd2991655706564d1997e321dcaa754', 'person', 4);
INSERT INTO public.asset VALUES (1, 'a.png', 4);
INSERT INTO public.asset VALUES (2, 'b.png', 4);
INSERT INTO public.asset VALUES (3, 'c.png', 4);
INSERT INTO public.asset_fact VALUES (1, 1, 4, 'a.png', 640, 480, NULL, NULL);
INSERT INTO public.asset_fact VALUES (2, 2, 4, 'b.png', 640, 480, NULL, NULL);
INSERT INTO public.asset_fact VALUES (3, 3, 4, 'c.png', NULL, NULL, NULL, NULL);
INSERT INTO public.attribute_document VALUES (1, -8473606993478741180, '{}');
INSERT INTO public.batch VALUES (1, 'b1', 'detection', 1, 'archive', NULL, 0, '{}', 3);
INSERT INTO public.dataset_version VALUES (1, '6a98f29905f6', '6a98f29905f6d00b18269eec37af660e71b27a01e14723a97e357271c30aa083', 5, '{"counts":{"annotator":{"a-4zwlbzfswp2nlstd":1,"a-73mlnobvpzcm3eb2":1},"batch":{"b1":2},"class":{"car":2},"schema":{"things@1.0":2},"stage":{"submitted":2}},"digest":"6a98f29905f6d00b18269eec37af660e71b27a01e14723a97e357271c30aa083","excluded":[],"files":[{"n_rows":2,"path":"train/assets.parquet","sha256":"7a0f859ac13ad163495fee36bc18a76956d95136cec893dc1253e55c75e467a8"},{"n_rows":1,"path":"train/part-00000.parquet","sha256":"fa1ef3836b8cd51581cbb173160910c1b9e32bfbe2f4e459d28c50e211037d63"},{"n_rows":1,"path":"val/assets.parquet","sha256":"c726ed1e9066fea38a367690f625e0eb2ec3dfbbe62db804355e5fc24a0821d8"},{"n_rows":1,"path":"val/part-00000.parquet","sha256":"670eebec8712709790d8244a38605cc816b31e32d77c5b398d76c4f82aa7aeee"}],"log_root":"8d99714596f2092715766cdc31b51201e430983732be2c3d5d4db742b2fed72f","n_annotations":2,"n_assets":3,"name":"6a98f29905f6","recipe":{"annotators":[],"as_of":null,"batches":[],"classes":[],"exclude_batches":[],"exclude_classes":[],"group_pattern":null,"include_pilots":false,"kinds":[],"origins":["human","assisted","ground_truth"],"schemas":[],"since":null,"split_salt":"lineage","splits":{"test":0.1,"train":0.8,"val":0.1},"stages":["submitted","in_review","final"],"until":null},"seq":5,"splits":{"train":{"n_annotations":1,"n_assets":2},"val":{"n_annotations":1,"n_assets":1}},"writer":{"compression":"zstd-3","encoding":"dictionary, byte-stream-split","part_rows":1000000,"pyarrow":"26.0.1","sort":"asset, annotation"}}');
INSERT INTO public.label_class VALUES (1, 'car');
INSERT INTO public.label_class VALUES (2, 'dog');
INSERT INTO public.label_schema VALUES (1, 'things', '1.0', 'e767d871c06d321626d4e3fa303c8a1492624c8e23ea9e5b84bd2a774b3b5a94', '{"classes":{"car":{"attributes":{"type":"object"},"kinds":["box"]},"dog":{"attributes":{"type":"object"},"kinds":["box"]}},"name":"things","version":"1.0"}', 1);
INSERT INTO public.log_entry VALUES (1, '{}', NULL, 0, '2c3a2992ada75808c9438f16e21b903e33a37dce0fb1689e632e4d9a7c71716a', '2c3a2992ada75808c9438f16e21b903e33a37dce0fb1689e632e4d9a7c71716a');
INSERT INTO public.log_entry VALUES (2, '{}', NULL, 0, '4b5f069bd820f9ef53597be561787d6b09685722a968d915f965da10d740a80b', 'd5489c4faf50ef10a641001fc72dcc711815d1e1f7490e4e03fcd50ed226d354');
INSERT INTO public.log_entry VALUES (3, '{}', NULL, 0, '98aa0fb4a6b9f4d2e6edc82dd11c0b10fa4677404cfad0d8f9b14a7044009c00', '8cb86432eb76aba5fd8efdc085be79e74ce0d5124b69fd7a96a413ae24047d4a');
INSERT INTO public.log_entry VALUES (4, '{"by_rule":{},"identity":{"reason":"the batch held no labels","used":"new"},"losses":{},"n_added":3,"n_annotators":3,"n_assets":3,"n_read":3,"n_rejected":0,"n_retracted":0,"n_superseded":0,"n_unchanged":0}', 1, 3, 'aab92e7e712c373e1f0e544e8ad8d0d82b76ab9e55611288eec9a576138721f5', 'fe7117efeb50a0365bd599378252589974f95d01049c0f52cef3f9ba113cc720');
INSERT INTO public.log_entry VALUES (5, '{"by_rule":{},"identity":{"reason":"2 of 2 known ids agree with content, 0 labels changed id","used":"id"},"losses":{},"n_added":0,"n_annotators":3,"n_assets":3,"n_read":2,"n_rejected":0,"n_retracted":1,"n_superseded":1,"n_unchanged":1}', 4, 2, '353093b1dc3c01a1018c7571d82c45f7b2eb1d4d3d360922e3c9d7767e0dc8bc', '8d99714596f2092715766cdc31b51201e430983732be2c3d5d4db742b2fed72f');
INSERT INTO public.person VALUES (1, 'tess@team.example', '', 'd1c427103c344c4189eb2f1e7bd5d47e446fcec2a3d811736110e5781bcccea6');
INSERT INTO public.person VALUES (2, '1', 'label-studio', '86d2c96e760e819b85c924c3597164c4a6058a00581a22b22de50472433d2e44');
INSERT INTO public.person VALUES (3, 'eve@x.example', '', 'c1d45597a242fdf11f8f2b1a39f3c3e693114351dcbed407e3e6b605b99e8306');
INSERT INTO public.person VALUES (4, '2', 'label-studio', '4a146cf0d98a98e1cf999661f967bdafdf0e7337420c13f8f5d40f6ce079d1b9');
INSERT INTO public.revision VALUES (1, 1, 4, 'add', NULL, 2, 1, 'box', 6.4, 4.8, 70.4, 52.8, 1, 'submitted', 1, 1, 'human', '2026-03-02 10:05:00+00');
INSERT INTO public.revision VALUES (2, 2, 4, 'add', NULL, 2, 2, 'box', 192, 144, 249.6, 187.2, 1, 'submitted', 1, 1, 'human', '2026-03-02 10:05:00+00');
INSERT INTO public.revision VALUES (3, 3, 4, 'add', NULL, 3, 1, 'box', 32, 24, 160, 120, 1, 'submitted', 1, 1, 'human', '2026-03-02 10:05:00+00');
INSERT INTO public.revision VALUES (4, 2, 5, 'retract', 2, 2, 2, 'box', 192, 144, 249.6, 187.2, 1, 'submitted', 1, 1, 'human', '2026-03-02 10:05:00+00');
INSERT INTO public.revision VALUES (5, 1, 5, 'supersede', 1, 2, 1, 'box', 12.8, 4.8, 76.8, 52.8, 1, 'submitted', 1, 1, 'human', '2026-03-02 10:05:00+00');
INSERT INTO public.roster VALUES (1, 4, 1, 2, 1, 'labelled', '2026-03-02 10:05:00+00', 12.5);
INSERT INTO public.roster VALUES (2, 4, 2, 3, 1, 'labelled', '2026-03-02 10:05:00+00', 12.5);
INSERT INTO public.roster VALUES (3, 4, 2, 4, 1, 'empty', '2026-03-02 10:05:00+00', 12.5);
INSERT INTO public.roster VALUES (4, 4, 3, 2, 1, 'empty', '2026-03-02 10:05:00+00', 12.5);
INSERT INTO public.source VALUES (1, 4, 'one.json', 'eade2371c4a129ed177bb0f2615d56388a820568bba8cf79f30fba34cffc71c1', 1776);
INSERT INTO public.source VALUES (2, 5, 'two.json', '4bfb07a92987b004d483e16df482862a3b7490a764737bb2f2aa518bdb7a01d8', 1529);
INSERT INTO public.state_event VALUES (1, 2, 'schema', 1, 'locked', '');
INSERT INTO public.store_info VALUES ('version', '1');
INSERT INTO public.store_info VALUES ('origin', 'proj');
INSERT INTO public.version_tag VALUES ('first', '6a98f29905f6');
SELECT pg_catalog.setval('public.asset_fact_id_seq', 3, true);
SELECT pg_catalog.setval('public.attribute_document_id_seq', 1, true);
SELECT pg_catalog.setval('public.dataset_version_id_seq', 1, true);
SELECT pg_catalog.setval('public.gold_id_seq', 1, false);
SELECT pg_catalog.setval('public.label_class_id_seq', 2, true);
SELECT pg_catalog.setval('public.roster_id_seq', 4, true);
SELECT pg_catalog.setval('public.run_id_seq', 1, false);
SELECT pg_catalog.setval('public.source_id_seq', 2, true);
SELECT pg_catalog.setval('public.stage_event_id_seq', 1, false);
SELECT pg_catalog.setval('public.state_event_id_seq', 1, true);
SELECT pg_catalog.setval('public.verdict_id_seq', 1, false);
ALTER TABLE ONLY public.activity
    ADD CONSTRAINT activity_activity_key UNIQUE (activity);
ALTER TABLE ONLY public.activity
    ADD CONSTRAINT activity_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.annotation
    ADD CONSTRAINT annotation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.annotator
    ADD CONSTRAINT annotator_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.annotator
    ADD CONSTRAINT annotator_pseudonym_key UNIQUE (pseudonym);
ALTER TABLE ONLY public.asset_fact
    ADD CONSTRAINT asset_fact_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT asset_name_key UNIQUE (name);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT asset_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attribute_document
    ADD CONSTRAINT attribute_document_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_tag_key UNIQUE (tag);
ALTER TABLE ONLY public.dataset_version
    ADD CONSTRAINT dataset_version_name_key UNIQUE (name);
ALTER TABLE ONLY public.dataset_version
    ADD CONSTRAINT dataset_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gold
    ADD CONSTRAINT gold_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.label_class
    ADD CONSTRAINT label_class_name_key UNIQUE (name);
ALTER TABLE ONLY public.label_class
    ADD CONSTRAINT label_class_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.label_schema
    ADD CONSTRAINT label_schema_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.log_entry
    ADD CONSTRAINT log_entry_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_handle_tool_key UNIQUE (handle, tool);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (annotator_id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.roster
    ADD CONSTRAINT roster_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_name_key UNIQUE (name);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.stage_event
    ADD CONSTRAINT stage_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.state_event
    ADD CONSTRAINT state_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.store_info
    ADD CONSTRAINT store_info_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.verdict
    ADD CONSTRAINT verdict_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.version_tag
    ADD CONSTRAINT version_tag_pkey PRIMARY KEY (tag);
CREATE INDEX ix_annotation_asset_id ON public.annotation USING btree (asset_id);
CREATE INDEX ix_asset_fact_asset_id ON public.asset_fact USING btree (asset_id);
CREATE INDEX ix_attribute_document_digest ON public.attribute_document USING btree (digest);
CREATE INDEX ix_gold_revision_id ON public.gold USING btree (revision_id);
CREATE INDEX ix_revision_annotation_id ON public.revision USING btree (annotation_id);
CREATE INDEX ix_roster_asset_id ON public.roster USING btree (asset_id);
CREATE INDEX ix_source_digest ON public.source USING btree (digest);
CREATE INDEX ix_stage_event_revision_id ON public.stage_event USING btree (revision_id);
CREATE INDEX ix_verdict_revision_id ON public.verdict USING btree (revision_id);
CREATE TRIGGER activity_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.activity FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER annotation_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.annotation FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER annotator_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.annotator FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER asset_fact_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.asset_fact FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER asset_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.asset FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER attribute_document_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.attribute_document FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER batch_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.batch FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER dataset_version_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.dataset_version FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER gold_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.gold FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER label_class_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.label_class FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER label_schema_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.label_schema FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER log_entry_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.log_entry FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER revision_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.revision FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER roster_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.roster FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER run_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.run FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER source_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.source FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER stage_event_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.stage_event FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER state_event_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.state_event FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER verdict_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.verdict FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
CREATE TRIGGER version_tag_no_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.version_tag FOR EACH STATEMENT EXECUTE FUNCTION public.lineage_refuse();
ALTER TABLE ONLY public.annotation
    ADD CONSTRAINT annotation_asset_id_fkey FOREIGN KEY (asset_id) REFERENCES public.asset(id);
ALTER TABLE ONLY public.annotator
    ADD CONSTRAINT annotator_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.asset_fact
    ADD CONSTRAINT asset_fact_asset_id_fkey FOREIGN KEY (asset_id) REFERENCES public.asset(id);
ALTER TABLE ONLY public.asset_fact
    ADD CONSTRAINT asset_fact_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT asset_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_schema_id_fkey FOREIGN KEY (schema_id) REFERENCES public.label_schema(id);
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.dataset_version
    ADD CONSTRAINT dataset_version_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.gold
    ADD CONSTRAINT gold_revision_id_fkey FOREIGN KEY (revision_id) REFERENCES public.revision(id);
ALTER TABLE ONLY public.gold
    ADD CONSTRAINT gold_schema_id_fkey FOREIGN KEY (schema_id) REFERENCES public.label_schema(id);
ALTER TABLE ONLY public.gold
    ADD CONSTRAINT gold_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.label_schema
    ADD CONSTRAINT label_schema_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.log_entry
    ADD CONSTRAINT log_entry_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.person
    ADD CONSTRAINT person_annotator_id_fkey FOREIGN KEY (annotator_id) REFERENCES public.annotator(id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_annotation_id_fkey FOREIGN KEY (annotation_id) REFERENCES public.annotation(id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_annotator_id_fkey FOREIGN KEY (annotator_id) REFERENCES public.annotator(id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_attributes_id_fkey FOREIGN KEY (attributes_id) REFERENCES public.attribute_document(id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batch(id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_class_id_fkey FOREIGN KEY (class_id) REFERENCES public.label_class(id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_schema_id_fkey FOREIGN KEY (schema_id) REFERENCES public.label_schema(id);
ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.roster
    ADD CONSTRAINT roster_annotator_id_fkey FOREIGN KEY (annotator_id) REFERENCES public.annotator(id);
ALTER TABLE ONLY public.roster
    ADD CONSTRAINT roster_asset_id_fkey FOREIGN KEY (asset_id) REFERENCES public.asset(id);
ALTER TABLE ONLY public.roster
    ADD CONSTRAINT roster_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batch(id);
ALTER TABLE ONLY public.roster
    ADD CONSTRAINT roster_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_version_fkey FOREIGN KEY (version) REFERENCES public.dataset_version(name);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.stage_event
    ADD CONSTRAINT stage_event_annotator_id_fkey FOREIGN KEY (annotator_id) REFERENCES public.annotator(id);
ALTER TABLE ONLY public.stage_event
    ADD CONSTRAINT stage_event_revision_id_fkey FOREIGN KEY (revision_id) REFERENCES public.revision(id);
ALTER TABLE ONLY public.stage_event
    ADD CONSTRAINT stage_event_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.state_event
    ADD CONSTRAINT state_event_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.verdict
    ADD CONSTRAINT verdict_annotator_id_fkey FOREIGN KEY (annotator_id) REFERENCES public.annotator(id);
ALTER TABLE ONLY public.verdict
    ADD CONSTRAINT verdict_revision_id_fkey FOREIGN KEY (revision_id) REFERENCES public.revision(id);
ALTER TABLE ONLY public.verdict
    ADD CONSTRAINT verdict_seq_fkey FOREIGN KEY (seq) REFERENCES public.activity(seq);
ALTER TABLE ONLY public.version_tag
    ADD CONSTRAINT version_tag_version_fkey FOREIGN KEY (version) REFERENCES public.dataset_version(name);
