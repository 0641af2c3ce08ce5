import { FONT, variables } from './theme.ts';

export const STYLE = `
:root{color-scheme:light;${variables('light')}}
@media (prefers-color-scheme:dark){:root:not([data-mode=light]){color-scheme:dark;${variables('dark')}}}
:root[data-mode=dark]{color-scheme:dark;${variables('dark')}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 ${FONT};-webkit-text-size-adjust:100%}
main{max-width:1320px;margin:0 auto;padding:clamp(16px,4vw,48px)}
header{display:flex;gap:16px;align-items:flex-start;justify-content:space-between;margin-bottom:24px}
h1{font-size:clamp(1.6rem,4vw,2.3rem);line-height:1.15;letter-spacing:-.02em;margin:0;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:1.2rem;line-height:1.3;letter-spacing:-.01em;margin:0 0 6px;overflow-wrap:anywhere}
p{margin:0 0 12px;max-width:74ch;overflow-wrap:anywhere}
.subtitle{color:var(--muted);font-size:1.05rem;margin:8px 0 0}
section{margin:0 0 40px;min-width:0}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,540px),1fr));gap:40px 48px;margin-bottom:40px}
.grid section{margin:0}
figure{margin:0}
figcaption,.caption{color:var(--muted);font-size:.9rem;max-width:80ch;margin:0 0 10px;overflow-wrap:anywhere}
.plot{width:100%;min-height:120px;position:relative}
.plot.vega-embed,.plot svg{display:block;max-width:100%;height:auto}
.plot svg{touch-action:pan-y pinch-zoom;overflow:visible}
button{font:inherit;color:inherit;background:none;border:1px solid transparent;border-radius:6px;cursor:pointer}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.bar{display:flex;flex-wrap:wrap;gap:2px 4px;align-items:center;margin:0 0 6px -8px;font-size:.86rem}
.bar button{display:inline-flex;align-items:center;gap:7px;padding:3px 8px;max-width:100%;overflow-wrap:anywhere;text-align:left}
.bar button:hover,.tools button:hover{background:var(--card)}
.bar button[aria-pressed=false]{color:var(--muted);text-decoration:line-through}
.bar button[aria-pressed=false] svg{opacity:.25}
.bar svg{flex:none}
.tools{margin-left:auto;display:inline-flex;gap:2px}
.tools button,#mode{min-width:34px;height:34px;display:inline-grid;place-items:center;color:var(--muted);border-color:var(--line)}
.tools input{width:9em;max-width:30vw;accent-color:var(--accent)}
#mode{flex:none;padding:0 12px;font-size:.85rem}
.source,details{font-size:.8rem;color:var(--muted)}
.source{margin:6px 0 0}
details{margin-top:4px}
summary{cursor:pointer;padding:3px 0}
code{font:.92em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.scroll{overflow-x:auto;max-width:100%}
details .scroll{max-height:360px;overflow:auto;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;width:100%}
details table{font-size:.8rem;color:var(--ink)}
th,td{padding:6px 14px 6px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid);white-space:nowrap}
.long{white-space:normal;min-width:36ch;max-width:80ch;overflow-wrap:anywhere}
details th,details td{padding-left:12px}
thead th{border-bottom:1px solid var(--line);font-weight:600;vertical-align:bottom;background:var(--page);position:sticky;top:0}
th button{font-weight:600;padding:2px 0;border:0;text-align:inherit}
th button{position:relative}th button::after{content:'';position:absolute;left:100%;width:1em;color:var(--accent);text-align:center}
.number button::after{left:auto;right:100%}
th[aria-sort=ascending] button::after{content:'↑'}
th[aria-sort=descending] button::after{content:'↓'}
.number{text-align:right}
.claims{list-style:none;padding:0;margin:12px 0 0;display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
.claims li{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--shade);border-radius:8px;padding:14px 18px;min-width:0}
.claims p{margin:0 0 6px}
.verdict{font-weight:600;color:var(--shade);font-size:.9rem;margin:0 0 4px}
.claims dl{margin:8px 0 0;font-size:.85rem;display:grid;grid-template-columns:auto 1fr;gap:2px 12px}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
.yes{--shade:var(--series-2)}.no{--shade:var(--series-1)}.open{--shade:var(--muted)}
.counts{display:flex;flex-wrap:wrap;gap:6px 20px;margin:0;font-weight:600}
.counts span{color:var(--shade)}
nav{font-size:.9rem;margin:0 0 32px;display:flex;flex-wrap:wrap;gap:4px 18px}
a{color:var(--accent)}
nav a{text-decoration:none}nav a:hover{text-decoration:underline}
footer{border-top:1px solid var(--line);padding-top:20px;color:var(--muted);font-size:.85rem}
footer dl{display:grid;grid-template-columns:auto 1fr;gap:4px 16px;margin:0 0 16px}
#tip{position:fixed;z-index:9;pointer-events:none;background:var(--page);color:var(--ink);border:1px solid var(--line);border-radius:8px;box-shadow:0 4px 18px #0003;padding:8px 12px;font-size:.82rem;max-width:min(320px,92vw);overflow-wrap:anywhere}
#tip b{display:block}#tip div{display:flex;gap:14px;justify-content:space-between}#tip span{color:var(--muted)}
noscript p{background:var(--card);padding:12px 16px;border-radius:8px}
@media print{
:root,:root[data-mode=dark],:root:not([data-mode=light]){color-scheme:light;${variables('light')}}
body{font-size:11pt}main{padding:0;max-width:none}
#mode,.tools,details,nav{display:none}
figure,.claims li,tr{break-inside:avoid}h2{break-after:avoid}
.grid{display:block}.grid section{margin-bottom:28px}
.scroll{overflow:visible}thead th{position:static}th,td{white-space:normal}
}
`;
