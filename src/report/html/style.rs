//! How the page looks: in the dark, in the light, on a telephone and on paper. Text only; nothing is loaded.

/// The page's style sheet.
pub(super) const STYLE: &str = r"
:root { color-scheme: light dark; --ink: #1c2128; --soft: #57606a; --paper: #ffffff; --line: #d0d7de;
  --card: #f6f8fa; --good: #1a7f37; --bad: #b3261e; --full: #3b6ea8; --diff: #8250b5; --log: #2f8f9d;
  --fetch: #9aa4b2; --restore: #3b6ea8; --mark: #bf5b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9ea7b3; --paper: #0d1117; --line: #30363d;
  --card: #161b22; --good: #3fb950; --bad: #ff7b72; --full: #79b0ea; --diff: #bc8cff; --log: #56c2d0;
  --fetch: #6e7681; --restore: #79b0ea; --mark: #f0883e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); }
code { font: .92em ui-monospace, Consolas, 'DejaVu Sans Mono', monospace; overflow-wrap: anywhere; }
.seal { display: inline-block; padding: .1rem .7rem; border-radius: 1rem; color: var(--paper); font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.seal.good { background: var(--good); color: var(--paper); } .seal.bad { background: var(--bad); color: var(--paper); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.2rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.35rem; line-height: 1.3; } .card span { color: var(--soft); font-size: .9rem; }
.rows { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.row { display: grid; grid-template-columns: minmax(7rem, 15rem) 1fr; gap: .25rem .8rem; align-items: center;
  padding: .18rem 0; break-inside: avoid; }
.row .name { overflow-wrap: anywhere; font-size: .9rem; line-height: 1.25; }
.row svg { display: block; width: 100%; height: 1.15rem; background: var(--card); border-radius: .2rem; }
.axis { color: var(--soft); font-size: .85rem; } .axis .ends { display: flex; justify-content: space-between; gap: .5rem; }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .6rem 0 0; font-size: .88rem; color: var(--soft); }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem; margin-right: .35rem;
  vertical-align: -.08rem; }
.full { fill: var(--full); background: var(--full); } .differential { fill: var(--diff); background: var(--diff); }
.log { fill: var(--log); background: var(--log); } .mark { fill: var(--mark); background: var(--mark); }
.fetch { fill: var(--fetch); background: var(--fetch); } .restore { fill: var(--restore); background: var(--restore); }
.over { fill: var(--bad); background: var(--bad); } .within { fill: var(--good); background: var(--good); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } td.number { white-space: nowrap; }
.whole { white-space: nowrap; } tr { break-inside: avoid; }
@media (max-width: 34rem) { .row { grid-template-columns: 1fr; } main { padding: 1rem .8rem 2rem; }
  table, tbody, tr, td { display: block; } thead { display: none; }
  tr { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .4rem .7rem; }
  td { border: 0; padding: .1rem 0; } td[data-name]::before { content: attr(data-name) ' '; color: var(--soft); } }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --card: #fff; --good: #14632b;
  --bad: #9b1c14; --full: #2b5a91; --diff: #6b3fa0; --log: #1f7482; --fetch: #8a94a1; --restore: #2b5a91;
  --mark: #a34d00; } body { font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .wide { overflow-x: visible; } table { font-size: 9pt; } th, td { padding-right: .5rem; }
  td:nth-child(-n+2) { overflow-wrap: anywhere; }
  main { max-width: none; padding: 0; } h2 { break-after: avoid; } @page { margin: 16mm; } }
";
