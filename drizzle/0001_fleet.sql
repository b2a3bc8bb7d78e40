CREATE TABLE `node_health` (
	`node_id` integer PRIMARY KEY NOT NULL,
	`health` text NOT NULL,
	`since` integer NOT NULL,
	`cause` text NOT NULL,
	`ejections` integer NOT NULL,
	`ejected_until` integer,
	`ramp_from` integer,
	`started_at` integer,
	FOREIGN KEY (`node_id`) REFERENCES `node`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `trace` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`call_id` text NOT NULL,
	`at` integer NOT NULL,
	`steps` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `trace_call` ON `trace` (`call_id`);--> statement-breakpoint
CREATE TABLE `webhook` (
	`url` text PRIMARY KEY NOT NULL,
	`last_event_id` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `node` ADD `priority` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `node` ADD `capacity` integer;--> statement-breakpoint
ALTER TABLE `node` ADD `tags` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `node` ADD `http_port` integer;--> statement-breakpoint
ALTER TABLE `node` ADD `admin_state` text DEFAULT 'ready' NOT NULL;--> statement-breakpoint
ALTER TABLE `node` ADD `admin_by` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `node` ADD `admin_reason` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `node` ADD `admin_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `node` ADD `admin_until` integer;--> statement-breakpoint
ALTER TABLE `node` ADD `is_limited` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `node` ADD `limit_before` integer;--> statement-breakpoint
ALTER TABLE `node_set` ADD `policy` text DEFAULT 'hash' NOT NULL;--> statement-breakpoint
ALTER TABLE `node_set` ADD `load_by` text DEFAULT 'sessions' NOT NULL;--> statement-breakpoint
ALTER TABLE `node_set` ADD `port_reserve` integer DEFAULT 5 NOT NULL;--> statement-breakpoint
CREATE INDEX `event_kind` ON `event` (`kind`,`id`);--> statement-breakpoint
CREATE INDEX `event_node` ON `event` (`node_id`,`id`) WHERE node_id is not null;--> statement-breakpoint
CREATE INDEX `event_call` ON `event` (`call_id`) WHERE call_id is not null;