// Types of accuracy.js for the demo, which is written in TypeScript.

/** The share of right characters, from 0 to 1. */
export function accuracy(wanted: string, found: string): number;
