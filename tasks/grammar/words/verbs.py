"""Lists verbs, with the classes of their objects, their forms and where they are done.

The columns are those of `entries.verb_of`. Written for this suite; no outside data.
"""

from __future__ import annotations

from typing import NamedTuple

from tasks.grammar.words.entries import Verb, read_verbs, rows, verb_of

# base past participle gerund +particle | Chinese | objects | forms | places
VERBS = read_verbs(
    """
eat ate eaten | 吃 | food meal | hpdfeywmc | home restaurant canteen
eat ate eaten | 喝 | soup | hpdfeywmc | home restaurant canteen
drink drank drunk | 喝 | drink | hpdfeywmc | home office cafe restaurant
read read read | 看 | reading | hpdfeywmclk | home library cafe park
watch | 看 | film show screen | hpdfeywmlk | home hotel
buy bought bought | 买 | printed reading clothing worn plain-worn food grocery vehicle device \
furniture ware tool stationery luggage present toy | hdfywm | shop market Beijing \
Shanghai London Paris
write wrote written writing | 写 | writing | hpdfeywmck | home office library cafe
wear wore worn | 穿 | clothing | zfw |
wear wore worn | 戴 | worn plain-worn | zfw |
play | 弹 | keys | hpdfewmcsl | home school
play | 拉 | strings | hpdfewmcsl | home school
play | 踢 | foot-sport | hpdfewmcsl | park school
play | 打 | hand-sport | hpdfewmcsl | park school gym
play | 下 | board | hpdfewmcsl | home park
play | 玩 | game | hpdfewmcl | home
drive drove driven | 开 | motor | hdfewmks |
ride rode ridden | 骑 | cycle mount | hpdfewmksl | park village
wash | 洗 | clothing washable motor | hpdfymc | home
wash | 洗 | orchard fruit | pdfymc | kitchen
sing sang sung | 唱 | song | hpdfewmcks | home park school
learn | 学 | language subject | hpfewml | school university Beijing
speak spoke spoken | 说 | language | hpewmcs |
draw drew drawn | 画 | animal plant | hpdfewmcs | home school park
look +for | 找 | pocket pet | pfm | home office station
repair | 修 | device motor cycle furniture | hpdfeymsk | home factory
use | 用 | tool | pdfewm |
keep kept kept | 养 | pet farm | hfew | home village
see saw seen | 看见 | animal person | d | park village zoo
see saw seen | 见 | wild person | e |
help | 帮助 | person | hdfwm |
visit | 看望 | person | hdfw |
visit | 参观 | sight institution | dfewy |
wait +for | 等 | person | pfm | station airport cafe
invite | 邀请 | person | dfywm |
listen +to | 听 | music song | hpdfewmcl | home park cafe
clean | 打扫 | room | pdfymcw |
answer | 回答 | question | dfm |
take took taken taking | 拍 | photo | hpdfmw | park seaside village
""".replace("\\\n", "")
)
STATES = read_verbs(
    """
like | 喜欢 | printed reading film song clothing worn food fruit grocery drink soup pet wild plant \
language subject keys foot-sport hand-sport music person | n |
need | 需要 | printed tool device furniture stationery warm-clothing luggage | n |
understand understood understood | 懂 | language | n |
know knew known | 认识 | person | n |
""".replace("\\\n", "")
)

# Verbs without an object. Chinese compounds come apart: 游泳, 游过泳.
DEEDS = read_verbs("""
swim swam swum swimming | 游 泳 | | hpdfewmcsl | gym seaside
run ran run running | 跑 步 | | hpdfewmcl | park school gym
dance | 跳 舞 | | hpdfewmcsl | home school park
sing sang sung | 唱 歌 | | hpdfewmcsl | home park school
ski skied skied | 滑 雪 | | hpdfewms |
skate | 滑 冰 | | hpdfewmsl | park
chat chatted chatted chatting | 聊 天 | | hpdfl | cafe park office
sleep slept slept | 睡 觉 | | hpfwmcl | home hotel
work | 工作 | | hpdfwml | office factory hospital Beijing Shanghai London Paris
rest | 休息 | | hpdfwmcl | home hotel office
exercise | 锻炼 | | hpdfwmcl | park gym
cook | 做 饭 | | hpdfwmcs | home kitchen
do did done +homework | 做 作业 | | hpdfywmcl | home school library
take took taken taking+a shower | 洗 澡 | | hpdfywmc | home gym hotel
make made made making+phone calls | 打 电话 | | hpdfwml | office home
take took taken taking+a walk | 散 步 | | hpdfwmcl | park seaside village
go went gone +shopping | 去买 东西 | | hdfwm |
""")

# Verbs of going: the object is a place.
GO = verb_of("go went been", "去", "", "hdfewmc", "")
HAVE = verb_of("have had had", "有", "", "n", "")
BE = Verb("be", "is", "was", "been", "being", "", "是", "", frozenset(), frozenset("n"), ())

# want to, like to ...
WISHES = {
    verb.base: verb
    for verb in read_verbs("""
want | 想 | | |
like | 喜欢 | | |
plan planned planned planning | 打算 | | |
need | 需要 | | |
""")
}


class Handling(NamedTuple):
    """An act on a definite thing, with its result: 把门关上, 书被借走.

    end: English after the object. after: Chinese after the verb. In both, {} stands for somebody.
    """

    verb: Verb
    end: str
    chinese: str
    after: str
    late: bool
    objects: frozenset[str]


def _handlings(table: str) -> tuple[Handling, ...]:
    return tuple(
        Handling(
            verb_of(english, chinese, "", "", ""),
            end,
            chinese,
            after,
            "{}" not in after,
            frozenset(objects.split()),
        )
        for english, end, chinese, after, objects in rows(table)
    )


# verb | English after the object | Chinese verb with result | Chinese after it | objects
DISPOSALS = _handlings("""
close | | 关上 | | opening
open | | 打开 | | opening
turn +off | | 关掉 | | lamp switched
turn +on | | 打开 | | lamp switched
wash | clean | 洗 | 干净 | clothing washable
tidy | | 收拾 | 好 | room
repair | | 修 | 好 | device cycle motor
finish +reading | | 看完 | | reading
finish +writing | | 写完 | | writing
finish +eating | | 吃完 | | orchard cake
break broke broken | | 打破 | | fragile
lose lost lost | | 弄丢 | | pocket
sell sold sold | | 卖掉 | | vehicle house device furniture
put put put putting | on the table | 放在 | 桌子上 | small-thing
put put put putting | in the box | 放在 | 盒子里 | small-thing
put put put putting | under the bed | 放在 | 床下面 | luggage box
hang hung hung | on the wall | 挂在 | 墙上 | painting map mirror photo
move | to the bedroom | 搬到 | 卧室里 | furniture
leave left left | at home | 忘在 | 家里 | pocket small-thing
give gave given | to {} | 给 | {} | small-thing printed present
lend lent lent | to {} | 借给 | {} | printed tool
send sent sent | to {} | 寄给 | {} | mail photo
return | to {} | 还给 | {} | tool printed
translate | into English | 翻译成 | 英语 | writing novel
""")

# the same columns; the thing is the subject: 书被借走了
SUFFERINGS = _handlings("""
steal stole stolen | | 偷走 | | pocket cycle motor luggage painting
borrow | | 借走 | | printed tool
break broke broken | | 打破 | | fragile
sell sold sold | | 卖掉 | | vehicle house furniture
take took taken +away | | 拿走 | | small-thing luggage
buy bought bought | | 买走 | | painting furniture vehicle
repair | | 修好 | | device cycle motor
eat ate eaten | | 吃掉 | | orchard cake egg
""")

# verbs with a that-clause
THOUGHTS = read_verbs("""
think thought | 觉得 | | |
know knew known | 知道 | | |
hope | 希望 | | |
say said | 说 | | |
""")

# with two objects
TEACH = verb_of("teach taught", "教", "", "", "")
GIFTS = read_verbs("""
give gave given | 给 | printed present toy orchard stationery | |
lend lent | 借给 | printed tool | |
""")

# verbs whose object is a person
PRAISES = read_verbs("""
praise | 表扬 | | |
criticise | 批评 | | |
""")
