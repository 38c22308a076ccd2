"""Kinds drawn afresh for every exercise: attributes named by any words, often with values of one type.

Where every kind is new, and a passage holds three dates, the only way to an answer is to match the words of the
question with the words of the passage. That skill comes first; the other modules give it vocabulary.
"""

from __future__ import annotations

from random import Random

from bundled.kinds import Attribute, Kind
from bundled.kinds.general import ACTION, COUNT, FILLER, PATH, PERCENT, PLACE, RHYTHM, SPANS, TEAM, TEMPERATURE, Value
from bundled.kinds.names import FIRST, WORDS, clock, code, date, email, money, person, phone, proper

ADJECTIVES = "annual,average,basic,blue,brief,central,clean,cold,common,current,daily,deep,direct,double,dry,early,empty,extra,fast,final,first,fixed,flat,free,full,general,gross,heavy,hidden,high,hot,inner,internal,joint,large,last,late,left,light,local,long,lower,main,maximum,medium,minimum,monthly,narrow,net,new,next,nightly,normal,official,old,open,outer,paid,partial,personal,planned,primary,private,public,quick,quiet,rear,regular,remote,right,safe,second,secondary,separate,short,single,slow,small,soft,special,spare,standard,steep,strong,sunday,third,total,upper,urgent,usual,warm,weekly,wet,wide,winter,yearly"
NOUNS = "access,account,adapter,address,advance,agenda,aisle,alarm,amount,anchor,angle,application,apron,archive,area,assistant,audience,award,badge,bag,balance,band,barrel,barrier,basket,battery,bay,beam,bed,belt,bench,benefit,bicycle,bill,block,board,boat,body,bolt,bonus,book,booking,boot,border,bottle,bowl,box,bracket,branch,break,bridge,brush,bucket,buffer,building,bulb,button,cabin,cabinet,cable,calendar,call,camera,canal,candle,card,cargo,carpet,carriage,cartridge,case,ceiling,cell,certificate,chain,chair,chamber,chapter,charge,chart,check,chest,chief,choice,circle,claim,class,clock,cloth,coach,coat,collar,colour,column,comment,committee,concert,cone,copy,corner,cost,council,counter,course,court,cover,crate,credit,crew,crop,crossing,cup,curtain,cushion,customer,cycle,dam,deck,degree,delay,delivery,demand,depth,design,desk,diet,dinner,direction,discount,dish,display,distance,ditch,dock,door,dose,draft,drawer,dress,drill,driver,drum,duty,edge,effect,engine,entrance,entry,error,escort,estimate,event,exam,exit,fabric,factor,factory,fan,farm,fee,fence,ferry,field,figure,filter,fine,finish,fire,fleet,flight,floor,flow,form,frame,freight,frequency,fridge,front,fuel,garage,garden,garment,gas,gate,gauge,gear,gift,glass,glove,goal,grade,grain,grant,gravel,grip,ground,group,guard,guest,guide,gutter,hall,hammer,handle,hanger,harvest,hatch,head,heater,height,helmet,hinge,hire,holder,hole,holiday,hook,horn,host,hose,hull,income,index,input,insert,interval,inventory,invoice,iron,item,jacket,jar,job,journey,judge,junction,keeper,kettle,key,kit,kitchen,label,ladder,lamp,lane,latch,law,layer,leaf,lease,leave,length,lens,lesson,letter,level,library,licence,lid,lift,line,link,list,load,loan,lobby,lock,locker,lounge,lunch,machine,mail,manual,map,margin,mark,market,mask,mast,mat,material,meal,measure,meeting,member,menu,message,meter,mill,minister,mirror,mixture,mode,module,motor,mount,mouth,museum,nail,name,needle,net,nickname,noise,note,notice,number,nurse,object,offer,oil,opening,option,orchard,order,outlet,output,oven,owner,package,packet,page,paint,pallet,panel,paper,park,partner,passage,path,pattern,pause,payment,pedal,pen,pension,permit,picture,pier,pilot,pin,pipe,pitch,place,plan,plant,plate,platform,plug,pocket,point,pole,pool,port,post,pot,power,practice,premium,press,pressure,price,print,prize,problem,process,product,profit,project,proof,property,pulley,pulse,pump,purpose,quality,quantity,question,queue,rack,rail,ramp,range,rate,ratio,reason,receipt,recipe,record,reel,refill,refund,region,release,rent,repair,reply,report,request,reserve,result,return,reward,ring,risk,rival,road,roof,room,root,rope,route,rule,sack,safe,sail,salary,sale,sample,sand,saw,scale,schedule,school,score,screen,screw,seal,search,season,seat,secretary,section,sensor,sequence,series,server,service,session,shaft,shape,share,shed,sheet,shelf,shield,shift,shop,shore,shower,side,sign,signal,sink,site,size,skill,sleeve,slot,socket,soil,song,source,space,speaker,speed,spring,square,stable,staff,stage,stair,stamp,stand,start,station,statue,stay,steam,step,stock,stone,stop,storage,store,storm,story,strap,stream,street,strip,studio,style,subject,sum,supply,support,surface,survey,switch,symbol,system,table,tail,talk,tank,tap,target,task,tax,taxi,teacher,team,temperature,tenant,term,test,theme,thread,ticket,tide,tile,time,tip,title,token,toll,tone,tool,top,tour,towel,tower,track,trade,trail,trailer,train,transfer,transport,trap,tray,treatment,trial,trip,trolley,truck,trunk,tube,tunnel,turn,type,tyre,uniform,unit,update,user,valve,van,vault,vehicle,version,view,village,visit,visitor,voice,volume,vote,wage,wagon,wait,wall,ward,warning,washer,waste,watch,water,wave,weather,week,weight,well,wheel,width,window,wing,winner,wire,witness,wood,word,worker,workshop,wrap,yard,yield,zone"
CONDITIONS = "for students,for staff,for visitors,for members,for children,for adults,for teams,for new customers,for partners,for drivers,for engineers,for apprentices,on weekdays,on Saturdays,on Sundays,on public holidays,at weekends,at night,in summer,in winter,in the first year,in the second year,after two years,after five years,after ten years,during the trial,in an emergency,with a card,without a card,in the north,in the south,for small orders,for large orders,for the basic plan,for the top plan,for urgent cases,by rail,by air,by sea,by post,online,in the shop,over 10 kg,under 10 kg,before noon,after 18:00,in the morning,in the evening,for groups,for one person,abroad,at home"
THINGS = "bridge,canteen,clinic,club,college,company,contract,crane,database,depot,device,dock,factory,farm,ferry,festival,fund,gallery,garden,gym,harbour,hostel,hotel,kiosk,laboratory,library,licence,lock,machine,market,museum,newsletter,observatory,office,parcel,park,permit,plan,plant,platform,policy,port,printer,process,programme,project,railway,reactor,reservoir,restaurant,route,scheme,school,server,shelter,ship,shop,society,stadium,station,studio,subscription,tariff,team,theatre,tool,tower,train,trial,tunnel,van,vault,venue,vessel,village,warehouse,workshop,yard,zoo"
STATES = (
    "The {n} of {{e}} is {{v}}.", "{{e}} has a {n} of {{v}}.", "For {{e}}, the {n} is {{v}}.", "{{v}} is the {n} of {{e}}.",
    "The {n} for {{e}} was set to {{v}}.", "When it comes to the {n}, {{e}} uses {{v}}.", "{{e}} ({n}: {{v}}) was reviewed last month.",
    "We agreed on {{v}} as the {n} of {{e}}.", "As the {n} of {{e}} we have {{v}}.", "With {{e}}, expect {{v}} as the {n}.",
    "{{e}} keeps its {n} at {{v}}.", "The {n} is {{v}} for {{e}}.", "In the case of {{e}}, the {n} comes to {{v}}.", "{{e}} lists {{v}} under {n}.",
    "Under {n}, {{e}} gives {{v}}.", "The current {n} at {{e}} is {{v}}, as before.", "{{e}} changed its {n} to {{v}}.", "It was decided that {{v}} is the {n} for {{e}}.",
    "You will find that the {n} at {{e}} is {{v}}.", "{{v}} serves as {n} for {{e}}.", "{{e}}: {n} {{v}}.", "The {n} that goes with {{e}} is {{v}}.",
    "Nobody disputes that {{e}} has {{v}} as its {n}.", "{n} for {{e}}: {{v}}.", "According to the plan, {{e}} gets {{v}} as {n}.", "Everyone should know that the {n} for {{e}} is {{v}}.",
)  # fmt: skip
ASKS = (
    "What is the {n} of {{e}}?", "What is the {n} for {{e}}?", "{{e}} {n}", "Which {n} does {{e}} have?", "Tell me the {n} of {{e}}.",
    "I need the {n} for {{e}}, please.", "Do you know the {n} of {{e}}?", "What {n} applies to {{e}}?", "{n} for {{e}}?", "{n} of {{e}}",
    "What's the {n} at {{e}}?", "For {{e}}, what is the {n}?", "Can you give me the {n} of {{e}}?", "{{e}}: {n}?", "What does {{e}} have as {n}?",
    "Please find the {n} of {{e}}.", "I am looking for the {n} at {{e}}.", "What is {{e}}'s {n}?", "How about the {n} of {{e}}?", "Name the {n} for {{e}}.",
    "What did they set as the {n} for {{e}}?", "Under {n}, what does {{e}} give?", "Check the {n} of {{e}} for me.", "What would be the {n} in the case of {{e}}?", "State the {n} that {{e}} has.",
    "Could someone say what the {n} of {{e}} is?", "What {n} has been set for {{e}}?", "Give me {{e}}'s {n}.", "Look up the {n} that belongs to {{e}}.", "What did we agree as the {n} of {{e}}?",
)  # fmt: skip
TYPED = {
    "money": (money, ("How much is the {n} of {{e}}?", "How much does the {n} for {{e}} come to?", "How high is the {n} at {{e}}?")),
    "span": (SPANS, ("How long is the {n} of {{e}}?", "How long does the {n} at {{e}} last?", "How much time does {{e}} give for the {n}?")),
    "count": (COUNT, ("How large is the {n} of {{e}}?", "How many or how much is the {n} of {{e}}?", "How big is the {n} at {{e}}?")),
    "date": (date, ("When is the {n} of {{e}}?", "On which day is the {n} of {{e}}?", "What date is the {n} of {{e}}?")),
    "clock": (clock, ("When is the {n} at {{e}}?", "At what time is the {n} of {{e}}?", "What time is the {n} at {{e}}?")),
    "person": (person, ("Who is the {n} of {{e}}?", "Who acts as the {n} of {{e}}?", "Whom does {{e}} have as {n}?")),
    "first": (lambda r: r.choice(FIRST), ("Who is the {n} of {{e}}?", "Which person is the {n} of {{e}}?", "Who is named as {n} for {{e}}?")),
    "place": (PLACE, ("Where is the {n} of {{e}}?", "In which place is the {n} of {{e}}?", "Where do I find the {n} of {{e}}?")),
    "team": (TEAM, ("Who looks after the {n} of {{e}}?", "Which team has the {n} of {{e}}?", "Whose is the {n} of {{e}}?")),
    "rhythm": (RHYTHM, ("How often is the {n} of {{e}}?", "How frequent is the {n} at {{e}}?", "How often does {{e}} have the {n}?")),
    "name": (proper, ("What is the {n} of {{e}} called?", "Which name has the {n} of {{e}}?", "What do they call the {n} of {{e}}?")),
}
PLAIN: tuple[Value, ...] = (code, PERCENT, email, phone, ACTION, PATH, TEMPERATURE, lambda r: r.choice(WORDS), lambda r: f"{r.choice(ADJECTIVES.split(','))} {r.choice(NOUNS.split(','))}", lambda r: str(r.randint(2, 999)))
_ADJECTIVES, _NOUNS, _CONDITIONS, _THINGS = (text.split(",") for text in (ADJECTIVES, NOUNS, CONDITIONS, THINGS))


def entity(r: Random, thing: str) -> str:
    """A name for a thing: proper, with its word, or a number."""
    return r.choice(
        [f"the {proper(r)} {thing}", f"{proper(r)} {thing}", f"the {r.choice(_ADJECTIVES)} {thing}", f"{thing} {r.choice([code(r), str(r.randint(1, 400))])}",
         proper(r), f"{proper(r)} {proper(r)}", f"{proper(r)} {r.randint(2, 99)}", f"the {thing} in {proper(r)}", f"the {thing} of {proper(r)}"]
    )  # fmt: skip


def attribute(r: Random, name: str, kind: str, condition: str, part: str) -> Attribute:
    """One attribute of a drawn type, at times bound to a condition that statement and question both name."""
    value, asks = TYPED[kind] if kind else (r.choice(PLAIN), ())
    states = [s.format(n=name) for s in (r.sample(STATES[:-1], 3) if part == "train" else STATES[-1:])]
    general = r.sample(ASKS[:-2], 4) if part == "train" else [r.choice(ASKS[-2:])]
    questions = [q.format(n=name) for q in (*general, *(r.sample(asks, 1) if asks and part == "train" else ()))]
    if condition:
        states = [s[:-1] + f" {condition}." if r.random() < 0.5 else f"{condition.capitalize()}, {s}" for s in states]
        questions = [q[:-1] + f" {condition}{q[-1]}" if q[-1] in "?." else f"{q} {condition}" for q in questions]
    # the last of each is what a test would take
    return Attribute(f"{name} {condition}".strip(), value, (*states, states[-1]), (*questions, questions[-1]))


def drawn(r: Random, part: str = "train") -> Kind:
    """A kind that no other exercise has."""
    thing = r.choice(_THINGS)
    one_type = r.choice([*TYPED, ""]) if r.random() < 0.5 else None
    made: dict[str, Attribute] = {}
    while len(made) < 6:
        name = r.choice(_NOUNS) if r.random() < 0.4 else f"{r.choice(_ADJECTIVES)} {r.choice(_NOUNS)}" if r.random() < 0.6 else f"{r.choice(_NOUNS)} {r.choice(_NOUNS)}"
        kind = r.choice([*TYPED, "", "", ""]) if one_type is None else one_type
        for condition in r.sample(_CONDITIONS, 2) if r.random() < 0.2 else [""]:
            made.setdefault(f"{name} {condition}", attribute(r, name, kind, condition, part))
    return Kind(thing, lambda r: entity(r, thing), tuple(made.values()), FILLER)
