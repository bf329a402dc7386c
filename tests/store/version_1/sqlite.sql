BEGIN TRANSACTION;
CREATE TABLE activity (
	seq INTEGER NOT NULL, 
	activity TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	agent TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	code_version TEXT NOT NULL, 
	batch TEXT, 
	parameters TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (activity)
);
INSERT INTO "activity" VALUES(1,'019ca6b1dfe8f5b165224a58b791','schema_add','a-35vpdwbqhzq43bwd',1772323201000000,'0.1.0',NULL,'{"schema":"things@1.0"}');
INSERT INTO "activity" VALUES(2,'019ca6b1e3d096762e6116c6e9c9','schema_lock','a-35vpdwbqhzq43bwd',1772323202000000,'0.1.0',NULL,'{"digest":"e767d871c06d321626d4e3fa303c8a1492624c8e23ea9e5b84bd2a774b3b5a94","reason":"","schema":"things@1.0"}');
INSERT INTO "activity" VALUES(3,'019ca6b1e7b82d99bf358c2e0718','batch_create','a-35vpdwbqhzq43bwd',1772323203000000,'0.1.0','b1','{"kind":"archive","schema":"things@1.0","tag":"b1","task":"detection"}');
INSERT INTO "activity" VALUES(4,'019ca6b1ef88822ce47ca8c74107','import','a-35vpdwbqhzq43bwd',1772323205000000,'0.1.0','b1','{"annotator_given":false,"edge_tolerance_px":1.0,"format":"label-studio","identity":"auto","schema":"things@1.0","stage":"submitted","whole":true}');
INSERT INTO "activity" VALUES(5,'019ca6b1fb4087376f07bcb81287','import','a-35vpdwbqhzq43bwd',1772323208000000,'0.1.0','b1','{"annotator_given":false,"edge_tolerance_px":1.0,"format":"label-studio","identity":"auto","schema":"things@1.0","stage":"submitted","whole":true}');
CREATE TABLE annotation (
	id INTEGER NOT NULL, 
	asset_id INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(asset_id) REFERENCES asset (id)
);
INSERT INTO "annotation" VALUES(1,1);
INSERT INTO "annotation" VALUES(2,1);
INSERT INTO "annotation" VALUES(3,2);
CREATE TABLE annotator (
	id INTEGER NOT NULL, 
	pseudonym TEXT NOT NULL, 
	commitment TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (pseudonym), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "annotator" VALUES(1,'a-35vpdwbqhzq43bwd','316b50b57a0f11a77425c2773eb00cf74e6a54525d19501c731a7b81043b905b','person',1);
INSERT INTO "annotator" VALUES(2,'a-4zwlbzfswp2nlstd','0e097e387db367820adabb541e824d7af29fb15c52a42947254cf28f5cdb6751','person',4);
INSERT INTO "annotator" VALUES(3,'a-73mlnobvpzcm3eb2','508cde172ba65bd391f78bbd1be8843597616cb6600e7257945c5e6ab1e06be2','person',4);
INSERT INTO "annotator" VALUES(4,'a-3wturjq6akniuwyc','ec9ee665dc79d4983b9465ab4a3d91405bd2991655706564d1997e321dcaa754','person',4);
CREATE TABLE asset (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "asset" VALUES(1,'a.png',4);
INSERT INTO "asset" VALUES(2,'b.png',4);
INSERT INTO "asset" VALUES(3,'c.png',4);
CREATE TABLE asset_fact (
	id INTEGER NOT NULL, 
	asset_id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	uri TEXT, 
	width INTEGER, 
	height INTEGER, 
	digest TEXT, 
	n_bytes INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(asset_id) REFERENCES asset (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "asset_fact" VALUES(1,1,4,'a.png',640,480,NULL,NULL);
INSERT INTO "asset_fact" VALUES(2,2,4,'b.png',640,480,NULL,NULL);
INSERT INTO "asset_fact" VALUES(3,3,4,'c.png',NULL,NULL,NULL,NULL);
CREATE TABLE attribute_document (
	id INTEGER NOT NULL, 
	digest INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "attribute_document" VALUES(1,-8473606993478741180,'{}');
CREATE TABLE batch (
	id INTEGER NOT NULL, 
	tag TEXT NOT NULL, 
	task TEXT NOT NULL, 
	schema_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	vendor TEXT, 
	priority INTEGER NOT NULL, 
	policy TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (tag), 
	FOREIGN KEY(schema_id) REFERENCES label_schema (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "batch" VALUES(1,'b1','detection',1,'archive',NULL,0,'{}',3);
CREATE TABLE dataset_version (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "dataset_version" VALUES(1,'6a98f29905f6','6a98f29905f6d00b18269eec37af660e71b27a01e14723a97e357271c30aa083',5,'{"counts":{"annotator":{"a-4zwlbzfswp2nlstd":1,"a-73mlnobvpzcm3eb2":1},"batch":{"b1":2},"class":{"car":2},"schema":{"things@1.0":2},"stage":{"submitted":2}},"digest":"6a98f29905f6d00b18269eec37af660e71b27a01e14723a97e357271c30aa083","excluded":[],"files":[{"n_rows":2,"path":"train/assets.parquet","sha256":"7a0f859ac13ad163495fee36bc18a76956d95136cec893dc1253e55c75e467a8"},{"n_rows":1,"path":"train/part-00000.parquet","sha256":"fa1ef3836b8cd51581cbb173160910c1b9e32bfbe2f4e459d28c50e211037d63"},{"n_rows":1,"path":"val/assets.parquet","sha256":"c726ed1e9066fea38a367690f625e0eb2ec3dfbbe62db804355e5fc24a0821d8"},{"n_rows":1,"path":"val/part-00000.parquet","sha256":"670eebec8712709790d8244a38605cc816b31e32d77c5b398d76c4f82aa7aeee"}],"log_root":"8d99714596f2092715766cdc31b51201e430983732be2c3d5d4db742b2fed72f","n_annotations":2,"n_assets":3,"name":"6a98f29905f6","recipe":{"annotators":[],"as_of":null,"batches":[],"classes":[],"exclude_batches":[],"exclude_classes":[],"group_pattern":null,"include_pilots":false,"kinds":[],"origins":["human","assisted","ground_truth"],"schemas":[],"since":null,"split_salt":"lineage","splits":{"test":0.1,"train":0.8,"val":0.1},"stages":["submitted","in_review","final"],"until":null},"seq":5,"splits":{"train":{"n_annotations":1,"n_assets":2},"val":{"n_annotations":1,"n_assets":1}},"writer":{"compression":"zstd-3","encoding":"dictionary, byte-stream-split","part_rows":1000000,"pyarrow":"26.0.1","sort":"asset, annotation"}}');
CREATE TABLE gold (
	id INTEGER NOT NULL, 
	revision_id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	schema_id INTEGER NOT NULL, 
	edge_case TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(revision_id) REFERENCES revision (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq), 
	FOREIGN KEY(schema_id) REFERENCES label_schema (id)
);
CREATE TABLE label_class (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "label_class" VALUES(1,'car');
INSERT INTO "label_class" VALUES(2,'dog');
CREATE TABLE label_schema (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	version TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	document TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "label_schema" VALUES(1,'things','1.0','e767d871c06d321626d4e3fa303c8a1492624c8e23ea9e5b84bd2a774b3b5a94','{"classes":{"car":{"attributes":{"type":"object"},"kinds":["box"]},"dog":{"attributes":{"type":"object"},"kinds":["box"]}},"name":"things","version":"1.0"}',1);
CREATE TABLE log_entry (
	seq INTEGER NOT NULL, 
	outcome TEXT NOT NULL, 
	first_revision INTEGER, 
	n_revisions INTEGER NOT NULL, 
	leaf TEXT NOT NULL, 
	root TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "log_entry" VALUES(1,'{}',NULL,0,'2c3a2992ada75808c9438f16e21b903e33a37dce0fb1689e632e4d9a7c71716a','2c3a2992ada75808c9438f16e21b903e33a37dce0fb1689e632e4d9a7c71716a');
INSERT INTO "log_entry" VALUES(2,'{}',NULL,0,'4b5f069bd820f9ef53597be561787d6b09685722a968d915f965da10d740a80b','d5489c4faf50ef10a641001fc72dcc711815d1e1f7490e4e03fcd50ed226d354');
INSERT INTO "log_entry" VALUES(3,'{}',NULL,0,'98aa0fb4a6b9f4d2e6edc82dd11c0b10fa4677404cfad0d8f9b14a7044009c00','8cb86432eb76aba5fd8efdc085be79e74ce0d5124b69fd7a96a413ae24047d4a');
INSERT INTO "log_entry" VALUES(4,'{"by_rule":{},"identity":{"reason":"the batch held no labels","used":"new"},"losses":{},"n_added":3,"n_annotators":3,"n_assets":3,"n_read":3,"n_rejected":0,"n_retracted":0,"n_superseded":0,"n_unchanged":0}',1,3,'aab92e7e712c373e1f0e544e8ad8d0d82b76ab9e55611288eec9a576138721f5','fe7117efeb50a0365bd599378252589974f95d01049c0f52cef3f9ba113cc720');
INSERT INTO "log_entry" VALUES(5,'{"by_rule":{},"identity":{"reason":"2 of 2 known ids agree with content, 0 labels changed id","used":"id"},"losses":{},"n_added":0,"n_annotators":3,"n_assets":3,"n_read":2,"n_rejected":0,"n_retracted":1,"n_superseded":1,"n_unchanged":1}',4,2,'353093b1dc3c01a1018c7571d82c45f7b2eb1d4d3d360922e3c9d7767e0dc8bc','8d99714596f2092715766cdc31b51201e430983732be2c3d5d4db742b2fed72f');
CREATE TABLE person (
	annotator_id INTEGER NOT NULL, 
	handle TEXT NOT NULL, 
	tool TEXT NOT NULL, 
	salt TEXT NOT NULL, 
	PRIMARY KEY (annotator_id), 
	UNIQUE (handle, tool), 
	FOREIGN KEY(annotator_id) REFERENCES annotator (id)
);
INSERT INTO "person" VALUES(1,'tess@team.example','','d1c427103c344c4189eb2f1e7bd5d47e446fcec2a3d811736110e5781bcccea6');
INSERT INTO "person" VALUES(2,'1','label-studio','86d2c96e760e819b85c924c3597164c4a6058a00581a22b22de50472433d2e44');
INSERT INTO "person" VALUES(3,'eve@x.example','','c1d45597a242fdf11f8f2b1a39f3c3e693114351dcbed407e3e6b605b99e8306');
INSERT INTO "person" VALUES(4,'2','label-studio','4a146cf0d98a98e1cf999661f967bdafdf0e7337420c13f8f5d40f6ce079d1b9');
CREATE TABLE revision (
	id INTEGER NOT NULL, 
	annotation_id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	operation TEXT NOT NULL, 
	supersedes INTEGER, 
	annotator_id INTEGER NOT NULL, 
	class_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	x_min FLOAT, 
	y_min FLOAT, 
	x_max FLOAT, 
	y_max FLOAT, 
	attributes_id INTEGER NOT NULL, 
	stage TEXT NOT NULL, 
	schema_id INTEGER NOT NULL, 
	batch_id INTEGER NOT NULL, 
	origin TEXT NOT NULL, 
	labelled_at BIGINT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(annotation_id) REFERENCES annotation (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq), 
	FOREIGN KEY(annotator_id) REFERENCES annotator (id), 
	FOREIGN KEY(class_id) REFERENCES label_class (id), 
	FOREIGN KEY(attributes_id) REFERENCES attribute_document (id), 
	FOREIGN KEY(schema_id) REFERENCES label_schema (id), 
	FOREIGN KEY(batch_id) REFERENCES batch (id)
);
INSERT INTO "revision" VALUES(1,1,4,'add',NULL,2,1,'box',6.4,4.8,70.4,52.8,1,'submitted',1,1,'human',1772445900000000);
INSERT INTO "revision" VALUES(2,2,4,'add',NULL,2,2,'box',192.0,144.0,249.6,187.2,1,'submitted',1,1,'human',1772445900000000);
INSERT INTO "revision" VALUES(3,3,4,'add',NULL,3,1,'box',32.0,24.0,160.0,120.0,1,'submitted',1,1,'human',1772445900000000);
INSERT INTO "revision" VALUES(4,2,5,'retract',2,2,2,'box',192.0,144.0,249.6,187.2,1,'submitted',1,1,'human',1772445900000000);
INSERT INTO "revision" VALUES(5,1,5,'supersede',1,2,1,'box',12.8,4.8,76.8,52.8,1,'submitted',1,1,'human',1772445900000000);
CREATE TABLE roster (
	id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	asset_id INTEGER NOT NULL, 
	annotator_id INTEGER NOT NULL, 
	batch_id INTEGER NOT NULL, 
	presence TEXT NOT NULL, 
	answered_at BIGINT, 
	lead_time_s FLOAT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq), 
	FOREIGN KEY(asset_id) REFERENCES asset (id), 
	FOREIGN KEY(annotator_id) REFERENCES annotator (id), 
	FOREIGN KEY(batch_id) REFERENCES batch (id)
);
INSERT INTO "roster" VALUES(1,4,1,2,1,'labelled',1772445900000000,12.5);
INSERT INTO "roster" VALUES(2,4,2,3,1,'labelled',1772445900000000,12.5);
INSERT INTO "roster" VALUES(3,4,2,4,1,'empty',1772445900000000,12.5);
INSERT INTO "roster" VALUES(4,4,3,2,1,'empty',1772445900000000,12.5);
CREATE TABLE run (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	version TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	FOREIGN KEY(version) REFERENCES dataset_version (name)
);
CREATE TABLE source (
	id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	n_bytes INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "source" VALUES(1,4,'one.json','eade2371c4a129ed177bb0f2615d56388a820568bba8cf79f30fba34cffc71c1',1776);
INSERT INTO "source" VALUES(2,5,'two.json','4bfb07a92987b004d483e16df482862a3b7490a764737bb2f2aa518bdb7a01d8',1529);
CREATE TABLE stage_event (
	id INTEGER NOT NULL, 
	revision_id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	stage TEXT NOT NULL, 
	annotator_id INTEGER NOT NULL, 
	basis TEXT NOT NULL, 
	comment TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(revision_id) REFERENCES revision (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq), 
	FOREIGN KEY(annotator_id) REFERENCES annotator (id)
);
CREATE TABLE state_event (
	id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	subject TEXT NOT NULL, 
	subject_id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq)
);
INSERT INTO "state_event" VALUES(1,2,'schema',1,'locked','');
CREATE TABLE store_info (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "store_info" VALUES('version','1');
INSERT INTO "store_info" VALUES('origin','proj');
CREATE TABLE verdict (
	id INTEGER NOT NULL, 
	revision_id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	annotator_id INTEGER NOT NULL, 
	verdict TEXT NOT NULL, 
	comment TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(revision_id) REFERENCES revision (id), 
	FOREIGN KEY(seq) REFERENCES activity (seq), 
	FOREIGN KEY(annotator_id) REFERENCES annotator (id)
);
CREATE TABLE version_tag (
	tag TEXT NOT NULL, 
	version TEXT NOT NULL, 
	PRIMARY KEY (tag), 
	FOREIGN KEY(version) REFERENCES dataset_version (name)
);
INSERT INTO "version_tag" VALUES('first','6a98f29905f6');
CREATE INDEX ix_attribute_document_digest ON attribute_document (digest);
CREATE INDEX ix_source_digest ON source (digest);
CREATE INDEX ix_annotation_asset_id ON annotation (asset_id);
CREATE INDEX ix_asset_fact_asset_id ON asset_fact (asset_id);
CREATE INDEX ix_revision_annotation_id ON revision (annotation_id);
CREATE INDEX ix_roster_asset_id ON roster (asset_id);
CREATE INDEX ix_gold_revision_id ON gold (revision_id);
CREATE INDEX ix_stage_event_revision_id ON stage_event (revision_id);
CREATE INDEX ix_verdict_revision_id ON verdict (revision_id);
CREATE TRIGGER activity_no_update BEFORE UPDATE ON activity BEGIN SELECT RAISE(ABORT, 'append-only: activity refuses UPDATE'); END;
CREATE TRIGGER activity_no_delete BEFORE DELETE ON activity BEGIN SELECT RAISE(ABORT, 'append-only: activity refuses DELETE'); END;
CREATE TRIGGER attribute_document_no_update BEFORE UPDATE ON attribute_document BEGIN SELECT RAISE(ABORT, 'append-only: attribute_document refuses UPDATE'); END;
CREATE TRIGGER attribute_document_no_delete BEFORE DELETE ON attribute_document BEGIN SELECT RAISE(ABORT, 'append-only: attribute_document refuses DELETE'); END;
CREATE TRIGGER label_class_no_update BEFORE UPDATE ON label_class BEGIN SELECT RAISE(ABORT, 'append-only: label_class refuses UPDATE'); END;
CREATE TRIGGER label_class_no_delete BEFORE DELETE ON label_class BEGIN SELECT RAISE(ABORT, 'append-only: label_class refuses DELETE'); END;
CREATE TRIGGER annotator_no_update BEFORE UPDATE ON annotator BEGIN SELECT RAISE(ABORT, 'append-only: annotator refuses UPDATE'); END;
CREATE TRIGGER annotator_no_delete BEFORE DELETE ON annotator BEGIN SELECT RAISE(ABORT, 'append-only: annotator refuses DELETE'); END;
CREATE TRIGGER asset_no_update BEFORE UPDATE ON asset BEGIN SELECT RAISE(ABORT, 'append-only: asset refuses UPDATE'); END;
CREATE TRIGGER asset_no_delete BEFORE DELETE ON asset BEGIN SELECT RAISE(ABORT, 'append-only: asset refuses DELETE'); END;
CREATE TRIGGER dataset_version_no_update BEFORE UPDATE ON dataset_version BEGIN SELECT RAISE(ABORT, 'append-only: dataset_version refuses UPDATE'); END;
CREATE TRIGGER dataset_version_no_delete BEFORE DELETE ON dataset_version BEGIN SELECT RAISE(ABORT, 'append-only: dataset_version refuses DELETE'); END;
CREATE TRIGGER label_schema_no_update BEFORE UPDATE ON label_schema BEGIN SELECT RAISE(ABORT, 'append-only: label_schema refuses UPDATE'); END;
CREATE TRIGGER label_schema_no_delete BEFORE DELETE ON label_schema BEGIN SELECT RAISE(ABORT, 'append-only: label_schema refuses DELETE'); END;
CREATE TRIGGER log_entry_no_update BEFORE UPDATE ON log_entry BEGIN SELECT RAISE(ABORT, 'append-only: log_entry refuses UPDATE'); END;
CREATE TRIGGER log_entry_no_delete BEFORE DELETE ON log_entry BEGIN SELECT RAISE(ABORT, 'append-only: log_entry refuses DELETE'); END;
CREATE TRIGGER source_no_update BEFORE UPDATE ON source BEGIN SELECT RAISE(ABORT, 'append-only: source refuses UPDATE'); END;
CREATE TRIGGER source_no_delete BEFORE DELETE ON source BEGIN SELECT RAISE(ABORT, 'append-only: source refuses DELETE'); END;
CREATE TRIGGER state_event_no_update BEFORE UPDATE ON state_event BEGIN SELECT RAISE(ABORT, 'append-only: state_event refuses UPDATE'); END;
CREATE TRIGGER state_event_no_delete BEFORE DELETE ON state_event BEGIN SELECT RAISE(ABORT, 'append-only: state_event refuses DELETE'); END;
CREATE TRIGGER annotation_no_update BEFORE UPDATE ON annotation BEGIN SELECT RAISE(ABORT, 'append-only: annotation refuses UPDATE'); END;
CREATE TRIGGER annotation_no_delete BEFORE DELETE ON annotation BEGIN SELECT RAISE(ABORT, 'append-only: annotation refuses DELETE'); END;
CREATE TRIGGER asset_fact_no_update BEFORE UPDATE ON asset_fact BEGIN SELECT RAISE(ABORT, 'append-only: asset_fact refuses UPDATE'); END;
CREATE TRIGGER asset_fact_no_delete BEFORE DELETE ON asset_fact BEGIN SELECT RAISE(ABORT, 'append-only: asset_fact refuses DELETE'); END;
CREATE TRIGGER batch_no_update BEFORE UPDATE ON batch BEGIN SELECT RAISE(ABORT, 'append-only: batch refuses UPDATE'); END;
CREATE TRIGGER batch_no_delete BEFORE DELETE ON batch BEGIN SELECT RAISE(ABORT, 'append-only: batch refuses DELETE'); END;
CREATE TRIGGER run_no_update BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'append-only: run refuses UPDATE'); END;
CREATE TRIGGER run_no_delete BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'append-only: run refuses DELETE'); END;
CREATE TRIGGER version_tag_no_update BEFORE UPDATE ON version_tag BEGIN SELECT RAISE(ABORT, 'append-only: version_tag refuses UPDATE'); END;
CREATE TRIGGER version_tag_no_delete BEFORE DELETE ON version_tag BEGIN SELECT RAISE(ABORT, 'append-only: version_tag refuses DELETE'); END;
CREATE TRIGGER revision_no_update BEFORE UPDATE ON revision BEGIN SELECT RAISE(ABORT, 'append-only: revision refuses UPDATE'); END;
CREATE TRIGGER revision_no_delete BEFORE DELETE ON revision BEGIN SELECT RAISE(ABORT, 'append-only: revision refuses DELETE'); END;
CREATE TRIGGER roster_no_update BEFORE UPDATE ON roster BEGIN SELECT RAISE(ABORT, 'append-only: roster refuses UPDATE'); END;
CREATE TRIGGER roster_no_delete BEFORE DELETE ON roster BEGIN SELECT RAISE(ABORT, 'append-only: roster refuses DELETE'); END;
CREATE TRIGGER gold_no_update BEFORE UPDATE ON gold BEGIN SELECT RAISE(ABORT, 'append-only: gold refuses UPDATE'); END;
CREATE TRIGGER gold_no_delete BEFORE DELETE ON gold BEGIN SELECT RAISE(ABORT, 'append-only: gold refuses DELETE'); END;
CREATE TRIGGER stage_event_no_update BEFORE UPDATE ON stage_event BEGIN SELECT RAISE(ABORT, 'append-only: stage_event refuses UPDATE'); END;
CREATE TRIGGER stage_event_no_delete BEFORE DELETE ON stage_event BEGIN SELECT RAISE(ABORT, 'append-only: stage_event refuses DELETE'); END;
CREATE TRIGGER verdict_no_update BEFORE UPDATE ON verdict BEGIN SELECT RAISE(ABORT, 'append-only: verdict refuses UPDATE'); END;
CREATE TRIGGER verdict_no_delete BEFORE DELETE ON verdict BEGIN SELECT RAISE(ABORT, 'append-only: verdict refuses DELETE'); END;
CREATE VIEW revisions AS
        SELECT r.id AS revision, r.annotation_id AS annotation, r.seq, r.operation, r.supersedes,
               a.name AS asset, p.pseudonym AS annotator, c.name AS class, r.kind,
               r.x_min, r.y_min, r.x_max, r.y_max, d.document AS attributes, COALESCE((SELECT e.stage FROM stage_event e WHERE e.revision_id = r.id ORDER BY e.id DESC LIMIT 1), r.stage) AS stage,
               r.stage AS entry_stage, s.name || '@' || s.version AS schema, b.tag AS batch, r.origin, r.labelled_at
        FROM revision r
        JOIN annotation n ON n.id = r.annotation_id
        JOIN asset a ON a.id = n.asset_id
        JOIN annotator p ON p.id = r.annotator_id
        JOIN label_class c ON c.id = r.class_id
        JOIN attribute_document d ON d.id = r.attributes_id
        JOIN label_schema s ON s.id = r.schema_id
        JOIN batch b ON b.id = r.batch_id;
CREATE VIEW labels AS
        SELECT v.* FROM revisions v
        WHERE v.operation <> 'retract' AND NOT EXISTS
              (SELECT 1 FROM revision n WHERE n.annotation_id = v.annotation
               AND n.id > v.revision);
COMMIT;
