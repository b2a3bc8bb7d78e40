/** The ways in for requests of calls: the HTTP API, and the ng protocol by whatever carries it. */
export const DOORS = ['http', 'ng'] as const;
export type Door = (typeof DOORS)[number];
