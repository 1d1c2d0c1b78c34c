"""Style and script of the pages, as they stand in them."""

STYLE = """:root{color-scheme:light dark;--text:#1c2430;--faint:#64707f;--line:#dfe4ea;--box:#f5f7f9;
--link:#0b62c4;--page:#fff}
@media(prefers-color-scheme:dark){:root{--text:#e3e8ee;--faint:#95a1b0;--line:#323b47;--box:#1c232c;--link:#6cb2ff;
--page:#12171d}}
*{box-sizing:border-box}[hidden]{display:none!important}
body{margin:0;font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--text);
background:var(--page)}
main{max-width:52rem;margin:0 auto;padding:2rem 1.25rem 4rem}
header{border-bottom:1px solid var(--line);margin-bottom:1.5rem}
header p{margin:.25rem 0 1rem;color:var(--faint)}
h1{font-size:1.7rem;margin:0}h1 small{font-weight:400;color:var(--faint)}
h2{font-size:1.15rem;margin:2rem 0 .6rem}
h3{font-size:.95rem;margin:1.2rem 0 .3rem;color:var(--faint);font-weight:600}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
code,pre,textarea{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;font-size:.86rem}
pre,textarea{display:block;width:100%;margin:0;padding:.8rem 1rem;background:var(--box);color:inherit;
border:1px solid var(--line);border-radius:6px;overflow:auto;line-height:1.5}
pre{white-space:pre-wrap;overflow-wrap:anywhere}textarea{resize:vertical}
table{border-collapse:collapse;width:100%}
th{font-size:.8rem;color:var(--faint);font-weight:600}
th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
td:first-child{width:45%}
button{font:inherit;font-weight:600;padding:.4rem 1.3rem;color:#fff;background:#0b62c4;border:0;border-radius:6px;
cursor:pointer}button:disabled{opacity:.5}
select,input{font:inherit;padding:.25rem .5rem;color:inherit;background:var(--box);border:1px solid var(--line);
border-radius:6px}
details{margin-top:1rem}summary{cursor:pointer;color:var(--faint);margin-bottom:.4rem}
.faint{color:var(--faint);font-size:.9rem}
.state{font-size:.8rem;font-weight:600;padding:.15rem .6rem;border-radius:1rem;vertical-align:middle;color:#fff;
background:#8a6100}.state.ready{background:#177245}.state.failed{background:#b3261e}"""

SCRIPT = r"""const at=id=>document.getElementById(id),key=()=>at('key')?.value?{'X-API-Key':at('key').value}:{};
const quoted=text=>"'"+text.replaceAll("'","'\\''")+"'";
function wire(){
  if(!at('forms'))return;
  const forms=JSON.parse(at('forms').textContent),chosen=()=>forms[at('form').selectedIndex];
  const show=()=>{const form=chosen();at('send').disabled=!form;if(!form)return;
    at('path').textContent='POST /'+form.path;
    at('curl').textContent='curl -H '+quoted('Content-Type: '+form.media)
      +(at('key')?' -H "X-API-Key: $API_KEY"':'')+' --data-binary '+quoted(at('body').value)
      +' '+quoted(new URL(form.path,document.baseURI).href)};
  at('form').onchange=()=>{const form=chosen();if(form)at('body').value=form.media==='text/csv'?form.text:
    JSON.stringify(JSON.parse(form.text),null,2);show()};
  at('body').oninput=show;
  at('send').onclick=async()=>{const form=chosen(),began=performance.now();at('send').disabled=true;
    at('answer').hidden=false;at('status').textContent='';
    try{const r=await fetch(form.path,
        {method:'POST',headers:{'Content-Type':form.media,...key()},body:at('body').value});
      const text=await r.text();at('status').textContent=r.status+' in '+Math.round(performance.now()-began)+' ms';
      try{at('answer').textContent=JSON.stringify(JSON.parse(text),null,2)}catch{at('answer').textContent=text}}
    catch(e){at('answer').textContent=e}
    at('send').disabled=false};
  at('form').onchange();
}
wire();
// With a key this page has more to show: it is fetched again, and what it says of the model takes its place here.
if(at('key'))at('key').onchange=async()=>{
  const page=new DOMParser().parseFromString(await(await fetch('docs',{headers:key()})).text(),'text/html');
  const model=page.getElementById('model');
  if(model){at('model').replaceWith(document.adoptNode(model));wire()}
};"""
