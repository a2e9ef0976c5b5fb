// Matrices of numbers, in all the ways in which PMML writes them: whole, symmetric, diagonal, or
// by single cells.

import { numbersOf } from './array.ts';
import type { Element } from './element.ts';
import { parseNumber } from './element.ts';

/** More than any model has, and less than what an attribute could make the process allocate. */
const sizeMax = 10_000_000;

/** A matrix as rows. */
export function matrix(element: Element): readonly (readonly number[])[] {
  const kind = element.choice('kind', ['any', 'symmetric', 'diagonal'], 'any');
  const arrays = element.all('Array').map(numbersOf);
  const cells = element.all('MatCell');
  if (arrays.length > 0 && cells.length > 0) element.refuse('both Array and MatCell are given');
  const [rowCount, columnCount] = sizeOf(element, kind, arrays, cells);
  const onDiagonal = element.optionalNumber('diagDefault');
  const offDiagonal =
    element.optionalNumber('offDiagDefault') ?? (kind === 'diagonal' ? 0 : undefined);
  const rows = Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: columnCount }, (_, column) => (row === column ? onDiagonal : offDiagonal)),
  );
  const put = (row: number, column: number, value: number): void => {
    const cellsOfRow = rows[row];
    if (cellsOfRow === undefined || column >= columnCount) element.refuse('a cell lies outside');
    cellsOfRow[column] = value;
  };
  for (const [at, array] of arrays.entries()) {
    for (const [column, value] of array.entries()) {
      if (kind === 'diagonal') put(column, column, value);
      else put(at, column, value);
      if (kind === 'symmetric') put(column, at, value);
    }
  }
  for (const cell of cells) {
    const row = cell.requiredNumber('row') - 1;
    const column = cell.requiredNumber('col') - 1;
    const value = parseNumber(cell.content()) ?? cell.refuse('it is not a number');
    put(row, column, value);
    if (kind === 'symmetric') put(column, row, value);
  }
  return rows.map((row) => row.map((cell) => cell ?? element.refuse('a cell is missing')));
}

function sizeOf(
  element: Element,
  kind: 'any' | 'symmetric' | 'diagonal',
  arrays: readonly (readonly number[])[],
  cells: readonly Element[],
): [number, number] {
  const longest = Math.max(0, ...arrays.map(({ length }) => length));
  const rows = kind === 'diagonal' ? longest : arrays.length;
  const rowCount =
    element.optionalNumber('nbRows') ??
    Math.max(rows, ...cells.map((cell) => cell.requiredNumber('row')));
  const columnCount =
    element.optionalNumber('nbCols') ??
    Math.max(longest, ...cells.map((cell) => cell.requiredNumber('col')));
  const isSize = (count: number): boolean => Number.isInteger(count) && count > 0;
  if (!isSize(rowCount) || !isSize(columnCount) || rowCount * columnCount > sizeMax) {
    element.refuse(`${rowCount} rows and ${columnCount} columns are no size of a matrix`);
  }
  return [rowCount, columnCount];
}
