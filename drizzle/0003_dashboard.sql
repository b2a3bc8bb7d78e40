CREATE TABLE `fleet_sample` (
	`at` integer PRIMARY KEY NOT NULL,
	`nodes_up` real,
	`calls` real,
	`sessions` real,
	`placed_per_s` real,
	`requests_per_s` real,
	`failed_per_s` real,
	`p50_ms` real,
	`p99_ms` real,
	`loop_delay_ms` real,
	`commit_ms` real
);
--> statement-breakpoint
CREATE TABLE `node_sample` (
	`series` integer NOT NULL,
	`at` integer NOT NULL,
	`up` real,
	`calls` real,
	`sessions` real,
	`ports_in_use` real,
	`ports_total` real,
	`placed_per_s` real,
	`packets_per_s` real,
	`errors_per_s` real,
	`rtt_ms` real,
	`probe_loss` real,
	`probe_delay_ms` real,
	PRIMARY KEY(`series`, `at`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `node_series` (
	`id` integer PRIMARY KEY NOT NULL,
	`node_id` integer,
	FOREIGN KEY (`node_id`) REFERENCES `node`(`id`) ON UPDATE no action ON DELETE set null
);
--> statement-breakpoint
CREATE UNIQUE INDEX `node_series_node_id_unique` ON `node_series` (`node_id`);--> statement-breakpoint
ALTER TABLE `node_set` ADD `media_probe` integer DEFAULT false NOT NULL;