// What a mark says of a message that waits.

import type { Mark } from './transition.ts';

/** Of a message that was never delivered. */
export const emptyMark: Mark = {
  state: 'returned',
  deliveryId: 0,
  uid: '',
  revision: 0,
  firstDeliveredAt: 0,
  deliveredAt: 0,
  deliveries: 0,
  bad: 0,
  deaths: 0,
  notBefore: 0,
  resumable: false,
  place: false,
  placeIndex: 0,
  outcomes: [],
};

/** Whether it waits as its submitter asked for: nobody had it yet. One that has a mark and was
 * delivered before backs off. */
export function isDelayed(mark: Pick<Mark, 'deliveries'>): boolean {
  return mark.deliveries === 0;
}
