/**
 * Must be imported before anything that imports Elysia: Elysia looks at NODE_ENV once, when it is loaded, and outside
 * production it shows inputs and inner details in its error replies.
 */
process.env.NODE_ENV = 'production';
