// The one service of a simulated run.

/** Also the name of its working group. */
export const serviceName = 'scan';
export const serviceNumber = 1;
