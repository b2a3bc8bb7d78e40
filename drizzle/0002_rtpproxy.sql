ALTER TABLE `call` ADD `memo` text;--> statement-breakpoint
ALTER TABLE `call` ADD `sessions` integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE `stray` ADD `memo` text;