CREATE TABLE `call` (
	`id` integer PRIMARY KEY NOT NULL,
	`call_id` text NOT NULL,
	`node_id` integer,
	`set_id` integer NOT NULL,
	`caller_side` text NOT NULL,
	`callee_side` text NOT NULL,
	`caller_tag` text NOT NULL,
	`state` text NOT NULL,
	`initial` text,
	`offers` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`end_reason` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `call_call_id_unique` ON `call` (`call_id`);--> statement-breakpoint
CREATE INDEX `call_ended` ON `call` (`updated_at`) WHERE state = 'ended';--> statement-breakpoint
CREATE TABLE `event` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`node_id` integer,
	`call_id` text,
	`detail` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `leg` (
	`call` integer NOT NULL,
	`tag` text NOT NULL,
	`branch` text NOT NULL,
	`side` text NOT NULL,
	`reader_side` text NOT NULL,
	`family` text NOT NULL,
	`confirmed` integer NOT NULL,
	`offering` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`call`, `tag`, `branch`),
	FOREIGN KEY (`call`) REFERENCES `call`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `leg_sdp` (
	`call` integer NOT NULL,
	`tag` text NOT NULL,
	`branch` text NOT NULL,
	`received` text NOT NULL,
	`returned` text NOT NULL,
	PRIMARY KEY(`call`, `tag`, `branch`),
	FOREIGN KEY (`call`) REFERENCES `call`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `media_address` (
	`node_id` integer NOT NULL,
	`side` text NOT NULL,
	`family` text NOT NULL,
	`address` text NOT NULL,
	`interface` text,
	PRIMARY KEY(`node_id`, `side`, `family`),
	FOREIGN KEY (`node_id`) REFERENCES `node`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `node` (
	`id` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`socket` text NOT NULL,
	`set_id` integer NOT NULL,
	`weight` integer NOT NULL,
	`impose_mode` text NOT NULL,
	`removed_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `node_socket` ON `node` (`set_id`,`socket`) WHERE removed_at is null;--> statement-breakpoint
CREATE TABLE `node_set` (
	`id` integer PRIMARY KEY NOT NULL,
	`description` text NOT NULL,
	`direction` text
);
--> statement-breakpoint
CREATE TABLE `stray` (
	`node_id` integer NOT NULL,
	`call_id` text NOT NULL,
	`since` integer NOT NULL,
	PRIMARY KEY(`node_id`, `call_id`)
);
