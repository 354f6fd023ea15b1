// SPDX-License-Identifier: GPL-2.0-only
/*
 * Style and script of the page. Without the script everything is there but the line that says
 * what a cell holds; which picture is shown is chosen by radio buttons and style alone.
 */
#include "map/map_html.h"

const char cache_map_page_style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1a1a1a;--line:#bbb;--dim:#595959;--bar:#0072b2}"
	"@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e8e8e8;--line:#555;--dim:#b0b0b0;"
	"--bar:#56b4e9}}"
	"body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;max-width:72rem;"
	"margin:1.5rem auto;padding:0 1rem}"
	"h1{font-size:1.35rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2rem}"
	"table{border-collapse:collapse;margin:.5rem 0}"
	"th,td{text-align:left;padding:.1rem .8rem .1rem 0;border-bottom:1px solid var(--line);"
	"overflow-wrap:anywhere}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
	".views{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:0 2rem}"
	"figure{margin:0;display:none}figure svg{width:100%;max-width:44rem;height:auto;"
	"border:1px solid var(--line)}figcaption{color:var(--dim)}"
	".scroll{overflow:auto}#zoom:checked~figure svg{max-width:none;width:200%}"
	"svg.strip,svg.bars{width:100%;height:5rem;border:1px solid var(--line)}"
	"svg.bars path{fill:var(--bar)}"
	"svg.ring{width:18rem;max-width:100%}svg.ring text{fill:var(--fg)}"
	"svg,.key{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
	".key{display:inline-block;width:1em;height:1em;border:1px solid var(--line);"
	"vertical-align:-.15em}.key.u{background:repeating-linear-gradient(135deg,#000 0 2px,"
	"#fff 2px 6px)}output{display:block;min-height:1.5em;font-variant-numeric:tabular-nums}"
	"label{margin-right:.9rem}:focus-visible{outline:3px solid #d55e00}"
	"@media print{body{max-width:none;margin:0}figure svg{max-width:12cm}details::details-content{display:block;content-visibility:visible}.noprint{display:none}}";

const char cache_map_page_script[] =
	"(function(){var o=document.getElementById('say'),w=+o.dataset.width,d=JSON.parse("
	"document.getElementById('cells').textContent),at=0;"
	"function say(i){var c=d[i];o.textContent=c?'buckets '+c[0]+' to '+(c[0]+c[1]-1)+"
	"': prio '+(c[2]<0?'not known':c[2])+', gen '+(c[3]<0?'not known':c[3])+', '+c[4]+"
	"' dirty, '+c[5]+' clean, '+c[6]+' free, '+c[7]+' metadata, '+c[8]+' not known':''}"
	"document.querySelectorAll('figure svg').forEach(function(s){"
	"s.addEventListener('pointermove',function(e){var r=s.getBoundingClientRect(),"
	"h=s.viewBox.baseVal.height,x=Math.floor((e.clientX-r.left)/r.width*w),"
	"y=Math.floor((e.clientY-r.top)/r.height*h);if(x>=0&&x<w)say(at=y*w+x)});"
	"s.addEventListener('keydown',function(e){var k={ArrowLeft:-1,ArrowRight:1,ArrowUp:-w,"
	"ArrowDown:w}[e.key];if(!k)return;e.preventDefault();if(d[at+k])at+=k;say(at)})})})();";
