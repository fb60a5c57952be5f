import type { Child } from "hono/jsx";

export type Column<T> = {
  head: string;
  cell(row: T): Child;
  /** The cell names its row. */
  isHead?: boolean;
};

/** What a cell says that has nothing to say; a narrow screen leaves it out. */
const NONE = "–";

type TableProps<T> = { caption: string; columns: readonly Column<T>[]; rows: readonly T[] };

/** Rows with a caption and named columns; on a narrow screen each row stands by itself, its cells with their names. */
export function Table<T>({ caption, columns, rows }: TableProps<T>) {
  return (
    <table>
      <caption>{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ head }) => (
            <th scope="col">{head}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr>
            {columns.map(({ head, cell, isHead }) => {
              const content = cell(row);
              if (isHead)
                return (
                  <th scope="row" data-head={head}>
                    {content}
                  </th>
                );
              return (
                <td data-head={head} class={content === NONE ? "none" : undefined}>
                  {content}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** To the next page of a list, and back to its beginning. `query` keeps the filters; `name` is the cursor's in the address. */
export function Pager({
  path,
  query,
  next,
  name = "cursor",
}: {
  path: string;
  query: Readonly<Record<string, string | undefined>>;
  next: string | undefined;
  name?: string;
}) {
  const { cursor, ...filters } = query;
  if (cursor === undefined && next === undefined) return null;
  return (
    <nav class="pager" aria-label="Pages">
      {cursor === undefined ? null : (
        <a class="button second" href={address(path, filters)}>
          First page
        </a>
      )}
      {next === undefined ? null : (
        <a class="button second" href={address(path, { ...filters, [name]: next })}>
          Next page
        </a>
      )}
    </nav>
  );
}

/** A path with a query; parameters without a value are left out. */
export function address(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}
