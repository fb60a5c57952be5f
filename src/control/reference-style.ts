/** One column on a phone; the list of operations beside it where there is room. */
export const REFERENCE_STYLE = `
  :root { color-scheme: light dark; --text: #1a1a1a; --back: #fff; --soft: #f2f3f5; --line: #c9ccd1; --link: #0b57d0; --dim: #55595f }
  @media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --back: #16181b; --soft: #22252a; --line: #44484f; --link: #8ab4f8; --dim: #a9adb4 } }
  * { box-sizing: border-box }
  body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); overflow-wrap: anywhere }
  header, main, nav { padding: 0 1rem; max-width: 60rem }
  a { color: var(--link) } h3 a { color: inherit; text-decoration: none } h3 a:hover { text-decoration: underline }
  h1 { font-size: 1.6rem } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) } h4 { margin: 1rem 0 .25rem }
  article { margin: 2rem 0 } article:target h3 { background: var(--soft) }
  code, pre { font: .9em/1.45 ui-monospace, monospace }
  pre { padding: .75rem; overflow-x: auto; white-space: pre; background: var(--soft); border-radius: .4rem }
  .call { padding: .4rem .75rem; background: var(--soft); border-radius: .4rem }
  .needs, .media, small { color: var(--dim); margin: .25rem 0 } .answer { margin: .5rem 0 } summary { cursor: pointer }
  .wide { overflow-x: auto } table { border-collapse: collapse; margin: .75rem 0 } caption { text-align: left; font-weight: 600 }
  th, td { padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); font-weight: normal }
  dl { margin: .5rem 0; padding-left: .75rem; border-left: 2px solid var(--line) } dd { margin: 0 0 .4rem 1rem }
  nav ul { padding-left: 1rem; list-style: none } .rooms { columns: 2 } .room { break-inside: avoid; margin-bottom: .75rem } nav .rooms { padding: 0 }
  @media (min-width: 70rem) {
    body { display: grid; grid-template-columns: 17rem minmax(0, 60rem); column-gap: 2rem }
    header { grid-column: 2 } nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; grid-row: 1 / 3; grid-column: 1; border-right: 1px solid var(--line) }
    .rooms { columns: 1 } main { grid-column: 2 }
  }
`;
