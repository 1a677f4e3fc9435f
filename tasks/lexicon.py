"""The words of the English-Chinese grammar: one line a word, columns between bars.

Classes say which nouns a verb takes and an adjective suits; the Chinese of "play", "wear", "old"
or "delicious" is thereby decided by the noun. Written for this suite; no outside data.
"""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
    """A noun that is counted with its measure word.

    Of a mass noun (tea, shoes) singular and plural are the bare form, and unit and units count
    it: a cup of tea, two cups of tea. A mass noun without a unit is only ever bare.
    """

    singular: str
    plural: str
    chinese: str
    measure: str
    classes: frozenset[str]
    mass: bool = False
    unit: str = ""
    units: str = ""
    several: bool = False  # takes a plural verb where bare: shoes, noodles


class Verb(NamedTuple):
    """English forms, and the Chinese verb with the object that a compound brings (游 泳).

    forms: letters of the tenses and moods that it goes with; h habitual, p progressive, d past,
    f future, e experience, y already or not yet, w wishes, m permission and duty, c command,
    s skill (can is 会), n state, l duration, k the object outlives the act. places: keys of PLACES.
    """

    base: str
    third: str
    past: str
    participle: str
    gerund: str
    particle: str
    chinese: str
    inner: str
    objects: frozenset[str]
    forms: frozenset[str]
    places: tuple[str, ...]


class Adjective(NamedTuple):
    """Chinese before a noun (with 的 where it needs one) and as a predicate."""

    english: str
    comparative: str
    attribute: str
    predicate: str
    classes: frozenset[str]


class Place(NamedTuple):
    """at: where something is done. to: where one goes. inside: Chinese with 里 or 上."""

    at: str
    to: str
    chinese: str
    inside: str


class Person(NamedTuple):
    """A name or a kinship term; pronoun: he or she."""

    english: str
    chinese: str
    pronoun: str


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("|")] for row in table.strip().splitlines()]


def _plural(singular: str) -> str:
    if singular.endswith(("s", "x", "ch", "sh")) or singular in ("tomato", "potato"):
        return singular + "es"
    if singular.endswith("y") and singular[-2] not in "aeiou":
        return singular[:-1] + "ies"
    return singular + "s"


def _third(base: str) -> str:
    return base + "es" if base.endswith("o") else {"have": "has"}.get(base) or _plural(base)


def _gerund(base: str) -> str:
    drops = base.endswith("e") and not base.endswith(("ee", "ye"))
    return (base[:-1] if drops else base) + "ing"


def _past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    return base[:-1] + "ied" if base.endswith("y") and base[-2] not in "aeiou" else base + "ed"


def _nouns(table: str) -> tuple[Noun, ...]:
    nouns = []
    for english, chinese, measure, classes in _rows(table):
        singular, _, plural = english.partition("/")
        nouns.append(
            Noun(
                singular,
                plural or _plural(singular),
                chinese,
                measure,
                frozenset([singular, *classes.split()]),
            )
        )
    return tuple(nouns)


def _masses(table: str) -> tuple[Noun, ...]:
    nouns = []
    for english, chinese, unit, measure, classes in _rows(table):
        kinds = frozenset([english, *classes.split()])
        several = "plural" in kinds
        nouns.append(
            Noun(english, english, chinese, measure, kinds, True, unit, _plural(unit), several)
        )
    return tuple(nouns)


def _verbs(table: str) -> tuple[Verb, ...]:
    return tuple(verb_of(*row) for row in _rows(table))


def verb_of(english: str, chinese: str, objects: str, forms: str, places: str) -> Verb:
    words, _, particle = english.partition("+")
    base, *irregular = words.split()
    past = irregular[0] if irregular else _past(base)
    head, _, inner = chinese.partition(" ")
    return Verb(
        base,
        _third(base),
        past,
        irregular[1] if len(irregular) > 1 else past,
        irregular[2] if len(irregular) > 2 else _gerund(base),
        " " + particle.strip() if particle else "",
        head,
        inner,
        frozenset(objects.split()),
        frozenset(forms),
        tuple(places.split()),
    )


def _adjectives(table: str) -> tuple[Adjective, ...]:
    return tuple(
        Adjective(english, comparative, attribute, predicate, frozenset(classes.split()))
        for english, comparative, attribute, predicate, classes in _rows(table)
    )


def _colours(table: str) -> tuple[Adjective, ...]:
    """A colour stands bare before what is worn or grows, and with 色的 before other things."""
    adjectives = []
    for english, chinese, close in _rows(table):
        distant = frozenset("vehicle furniture bag suitcase umbrella sofa towel".split())
        adjectives.append(Adjective(english, "", chinese, "", frozenset(close.split())))
        adjectives.append(Adjective(english, "", chinese + "色的", "", distant))
    return tuple(adjectives)


def _people(table: str) -> tuple[Person, ...]:
    return tuple(Person(*row) for row in _rows(table))


# English singular/plural | Chinese | measure word | classes
NOUNS = _nouns("""
book | 书 | 本 | reading printed small-thing
novel | 小说 | 本 | reading printed work
magazine | 杂志 | 本 | reading printed
newspaper | 报纸 | 份 | reading
dictionary | 词典 | 本 | printed tool small-thing
letter | 信 | 封 | writing mail
email | 邮件 | 封 | writing
poem | 诗 | 首 | writing work
article | 文章 | 篇 | writing
report | 报告 | 份 | writing
film | 电影 | 部 | film
match | 比赛 | 场 | show
song | 歌 | 首 | song
shirt | 衬衫 | 件 | clothing
coat | 大衣 | 件 | clothing warm-clothing
sweater | 毛衣 | 件 | clothing warm-clothing
jacket | 夹克 | 件 | clothing
skirt | 裙子 | 条 | clothing long-thing
dress | 连衣裙 | 条 | clothing
hat | 帽子 | 顶 | worn
scarf/scarves | 围巾 | 条 | worn long-thing
mask | 口罩 | 个 | plain-worn
watch | 手表 | 块 | plain-worn pocket
apple | 苹果 | 个 | food orchard
pear | 梨 | 个 | food orchard
peach | 桃子 | 个 | food orchard
orange | 橙子 | 个 | food orchard
banana | 香蕉 | 根 | food orchard
tomato | 西红柿 | 个 | food orchard
egg | 鸡蛋 | 个 | food
dumpling | 饺子 | 个 | food
hamburger | 汉堡包 | 个 | food
sandwich | 三明治 | 个 | food
cake | 蛋糕 | 个 | food sweet
car | 汽车 | 辆 | vehicle motor
truck | 卡车 | 辆 | vehicle motor
bus | 公共汽车 | 辆 | motor
bicycle | 自行车 | 辆 | vehicle cycle
motorcycle | 摩托车 | 辆 | vehicle cycle
computer | 电脑 | 台 | device tool switched
camera | 照相机 | 台 | device tool
radio | 收音机 | 台 | device switched
fridge | 冰箱 | 台 | device big-device
phone | 手机 | 部 | device tool small-thing pocket
table | 桌子 | 张 | furniture
bed | 床 | 张 | furniture
chair | 椅子 | 把 | furniture
sofa | 沙发 | 个 | furniture
mirror | 镜子 | 面 | ware fragile
towel | 毛巾 | 条 | long-thing washable
cup | 杯子 | 个 | ware washable small-thing fragile
plate | 盘子 | 个 | ware washable small-thing fragile
bowl | 碗 | 个 | ware washable small-thing fragile
knife/knives | 刀 | 把 | tool ware washable
umbrella | 雨伞 | 把 | tool small-thing
key | 钥匙 | 把 | pocket small-thing
pen | 钢笔 | 支 | tool stationery small-thing
pencil | 铅笔 | 支 | tool stationery small-thing
map | 地图 | 张 | tool printed
photo | 照片 | 张 | picture
picture | 画 | 张 | painting
ticket | 票 | 张 | pocket
wallet | 钱包 | 个 | pocket small-thing
passport | 护照 | 本 | pocket
bag | 包 | 个 | luggage small-thing
suitcase | 箱子 | 个 | luggage
box | 盒子 | 个 | small-thing
present | 礼物 | 个 | present
toy | 玩具 | 个 | small-thing
parcel | 包裹 | 个 | mail
cat | 猫 | 只 | animal pet
dog | 狗 | 只 | animal pet
rabbit | 兔子 | 只 | animal pet
bird | 鸟 | 只 | animal pet
chicken | 鸡 | 只 | animal farm
duck | 鸭子 | 只 | animal farm
sheep/sheep | 羊 | 只 | animal farm
cow | 牛 | 头 | animal farm
pig | 猪 | 头 | animal farm
horse | 马 | 匹 | animal farm mount
elephant | 大象 | 头 | animal wild
lion | 狮子 | 头 | animal wild
tiger | 老虎 | 只 | animal wild
panda | 熊猫 | 只 | animal wild
monkey | 猴子 | 只 | animal wild
mouse/mice | 老鼠 | 只 | animal
snake | 蛇 | 条 | animal
fish/fish | 鱼 | 条 | animal
tree | 树 | 棵 | plant
flower | 花 | 朵 | plant
house | 房子 | 栋 | building
shop | 商店 | 家 | building
restaurant | 饭馆 | 家 | building business
hotel | 酒店 | 家 | building business
hospital | 医院 | 家 | institution
school | 学校 | 所 | institution
factory/factories | 工厂 | 家 | institution
museum | 博物馆 | 个 | building sight
park | 公园 | 个 | sight
room | 房间 | 个 | room
kitchen | 厨房 | 个 | room
bedroom | 卧室 | 个 | room
office | 办公室 | 个 | room
classroom | 教室 | 间 | room
door | 门 | 扇 | opening
window | 窗户 | 扇 | opening fragile
light | 灯 | 盏 | lamp
question | 问题 | 个 | question
story | 故事 | 个 | story
""")

# English | Chinese | unit, if it has one | measure word | classes
MASSES = _masses("""
tea | 茶 | cup | 杯 | drink hot-drink
coffee | 咖啡 | cup | 杯 | drink hot-drink iced
water | 水 | glass | 杯 | drink hot-drink iced
milk | 牛奶 | glass | 杯 | drink hot-drink iced
juice | 果汁 | glass | 杯 | drink
beer | 啤酒 | bottle | 瓶 | drink iced
wine | 葡萄酒 | bottle | 瓶 | drink
soup | 汤 | bowl | 碗 | soup
rice | 米饭 | bowl | 碗 | food
noodles | 面条 | bowl | 碗 | food plural
bread | 面包 | piece | 块 | food
chocolate | 巧克力 | piece | 块 | food sweet
paper | 纸 | piece | 张 | stationery
shoes | 鞋 | pair | 双 | clothing footwear plural
socks | 袜子 | pair | 双 | clothing plural
trousers | 裤子 | pair | 条 | clothing long-thing plural
glasses | 眼镜 | pair | 副 | plain-worn plural
gloves | 手套 | pair | 副 | worn plural
breakfast | 早饭 | | | meal
lunch | 午饭 | | | meal
dinner | 晚饭 | | | meal
fruit | 水果 | | | grocery
meat | 肉 | | | grocery
vegetables | 蔬菜 | | | grocery plural
television | 电视 | | | screen
music | 音乐 | | | music
the news | 新闻 | | | screen
Chinese | 中文 | | | language subject
English | 英语 | | | language subject
French | 法语 | | | language subject
Japanese | 日语 | | | language subject
German | 德语 | | | language subject
Russian | 俄语 | | | language subject
mathematics | 数学 | | | subject
history | 历史 | | | subject
physics | 物理 | | | subject
the piano | 钢琴 | | | keys
the guitar | 吉他 | | | keys
the violin | 小提琴 | | | strings
football | 足球 | | | foot-sport
basketball | 篮球 | | | hand-sport
tennis | 网球 | | | hand-sport
volleyball | 排球 | | | hand-sport
badminton | 羽毛球 | | | hand-sport
table tennis | 乒乓球 | | | hand-sport
cards | 牌 | | | hand-sport
chess | 象棋 | | | board
computer games | 电脑游戏 | | | game
""")

# English | Chinese | measure word | classes
PEOPLE = _nouns("""
teacher | 老师 | 位 | school-staff
doctor | 医生 | 位 | fame
lawyer | 律师 | 位 | fame
writer | 作家 | 位 | fame
painter | 画家 | 位 | fame
scientist | 科学家 | 位 | fame
singer | 歌手 | 位 | fame
engineer | 工程师 | 位 | skilled
manager | 经理 | 位 | skilled
journalist | 记者 | 位 | skilled
guest | 客人 | 位 | visitor
nurse | 护士 | 个 | skilled
worker | 工人 | 个 | skilled
farmer | 农民 | 个 | skilled
driver | 司机 | 个 | skilled
cook | 厨师 | 个 | skilled
waiter | 服务员 | 个 | skilled
soldier | 士兵 | 个 | skilled
student | 学生 | 个 | pupil
child/children | 孩子 | 个 | pupil small
boy | 男孩 | 个 | pupil small
girl | 女孩 | 个 | pupil small
tourist | 游客 | 个 | visitor
""")

# Whom one has: English | Chinese | measure word | classes
RELATIONS = _nouns("""
friend | 朋友 | 个 | relation
classmate | 同学 | 个 | relation
colleague | 同事 | 个 | relation
neighbour | 邻居 | 个 | relation
""")

KIN = _people("""
father | 爸爸 | he
mother | 妈妈 | she
older brother | 哥哥 | he
younger brother | 弟弟 | he
older sister | 姐姐 | she
younger sister | 妹妹 | she
grandfather | 爷爷 | he
grandmother | 奶奶 | she
uncle | 叔叔 | he
aunt | 阿姨 | she
son | 儿子 | he
daughter | 女儿 | she
""")

# Years, where they are not 10 to 60
AGES = {
    **dict.fromkeys(("grandfather", "grandmother"), (60, 95)),
    **dict.fromkeys(("father", "mother", "uncle", "aunt"), (32, 65)),
    **dict.fromkeys(("son", "daughter"), (3, 30)),
}

NAMES = _people("""
Anna | 安娜 | she
Mary | 玛丽 | she
Lucy | 露西 | she
Linda | 琳达 | she
Wang Fang | 王芳 | she
Tom | 汤姆 | he
Peter | 彼得 | he
David | 大卫 | he
Jack | 杰克 | he
Li Ming | 李明 | he
""")

# base past participle gerund +particle | Chinese | objects | forms | places
VERBS = _verbs(
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

STATES = _verbs(
    """
like | 喜欢 | printed reading film song clothing worn food fruit grocery drink soup pet wild plant \
language subject keys foot-sport hand-sport music person | n |
need | 需要 | printed tool device furniture stationery warm-clothing luggage | n |
understand understood understood | 懂 | language | n |
know knew known | 认识 | person | n |
""".replace("\\\n", "")
)

# Without an object of their own; Chinese compounds come apart: 游泳, 游过泳.
DEEDS = _verbs("""
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

# Where one goes: the object is a place.
GO = verb_of("go went been", "去", "", "hdfewmc", "")
HAVE = verb_of("have had had", "有", "", "n", "")
BE = Verb("be", "is", "was", "been", "being", "", "是", "", frozenset(), frozenset("n"), ())


# want to, like to ...
WISHES = {
    verb.base: verb
    for verb in _verbs("""
want | 想 | | |
like | 喜欢 | | |
plan planned planned planning | 打算 | | |
need | 需要 | | |
""")
}


class Handling(NamedTuple):
    """What is done to a definite thing, with its result: 把门关上, 书被借走.

    end: English after the object, and Chinese after the verb; {} stands for somebody.
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
        for english, end, chinese, after, objects in _rows(table)
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

# as above, said of what suffers it
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

# somebody ... that
THOUGHTS = _verbs("""
think thought | 觉得 | | |
know knew known | 知道 | | |
hope | 希望 | | |
say said | 说 | | |
""")

# with two objects
TEACH = verb_of("teach taught", "教", "", "", "")
GIFTS = _verbs("""
give gave given | 给 | printed present toy orchard stationery | |
lend lent | 借给 | printed tool | |
""")

# done to people
PRAISES = _verbs("""
praise | 表扬 | | |
criticise | 批评 | | |
""")


def _places(table: str) -> dict[str, Place]:
    return {row[0]: Place(*row[1:]) for row in _rows(table)}


# key | where | where to | Chinese | Chinese, inside it
PLACES = _places("""
home | at home | home | 家 | 家里
school | at school | to school | 学校 | 学校里
university | at university | to the university | 大学 | 大学里
library | in the library | to the library | 图书馆 | 图书馆里
office | in the office | to the office | 办公室 | 办公室里
kitchen | in the kitchen | to the kitchen | 厨房 | 厨房里
canteen | in the canteen | to the canteen | 食堂 | 食堂里
restaurant | in the restaurant | to the restaurant | 饭馆 | 饭馆里
cafe | in the café | to the café | 咖啡馆 | 咖啡馆里
shop | in the shop | to the shop | 商店 | 商店里
market | at the market | to the market | 市场 | 市场上
park | in the park | to the park | 公园 | 公园里
zoo | at the zoo | to the zoo | 动物园 | 动物园里
gym | in the gym | to the gym | 体育馆 | 体育馆里
factory | in the factory | to the factory | 工厂 | 工厂里
hospital | in the hospital | to the hospital | 医院 | 医院里
hotel | in the hotel | to the hotel | 酒店 | 酒店里
museum | in the museum | to the museum | 博物馆 | 博物馆里
station | at the station | to the station | 车站 | 车站里
airport | at the airport | to the airport | 机场 | 机场里
bank | in the bank | to the bank | 银行 | 银行里
seaside | at the seaside | to the seaside | 海边 | 海边
village | in the village | to the village | 村子里 | 村子里
Beijing | in Beijing | to Beijing | 北京 | 北京
Shanghai | in Shanghai | to Shanghai | 上海 | 上海
London | in London | to London | 伦敦 | 伦敦
Paris | in Paris | to Paris | 巴黎 | 巴黎
Tokyo | in Tokyo | to Tokyo | 东京 | 东京
New York | in New York | to New York | 纽约 | 纽约
China | in China | to China | 中国 | 中国
France | in France | to France | 法国 | 法国
Japan | in Japan | to Japan | 日本 | 日本
""")
CITIES = ("Beijing", "Shanghai", "London", "Paris", "Tokyo", "New York")
COUNTRIES = ("China", "France", "Japan")
SPOTS = (
    *"library office canteen restaurant cafe shop market park zoo gym factory".split(),
    *"hospital hotel museum station airport bank seaside school".split(),
)
SIGHTS = ("museum", "zoo", "seaside", *CITIES, *COUNTRIES)

# English | comparative | before a noun | predicate | nouns that it suits
ADJECTIVES = _adjectives("""
new | newer | 新 | 新 | printed clothing worn vehicle device furniture tool luggage film song
new | newer | 新 | 新 | building
old | older | 旧 | 旧 | printed newspaper clothing worn vehicle device furniture luggage
old | older | 老 | 老 | pet mount plant house
big | bigger | 大 | 大 | orchard cake animal furniture building room luggage tree house
small | smaller | 小 | 小 | orchard cake pet fish table bed building room luggage house tree
beautiful | more beautiful | 漂亮的 | 漂亮 | clothing worn plant building room painting
expensive | more expensive | 很贵的 | 贵 | clothing worn vehicle device furniture watch
cheap | cheaper | 便宜的 | 便宜 | clothing worn vehicle device furniture watch
interesting | more interesting | 有意思的 | 有意思 | reading film story article show
boring | more boring | 无聊的 | 无聊 | novel magazine film story article
important | more important | 重要的 | 重要 | writing question
difficult | more difficult | 很难的 | 难 | question
easy | easier | 容易的 | 容易 | question
delicious | more delicious | 好吃的 | 好吃 | food
delicious | more delicious | 好喝的 | 好喝 | drink soup
hot | hotter | 热 | 热 | hot-drink soup
iced | | 冰 | | iced
fresh | fresher | 新鲜的 | 新鲜 | orchard egg grocery
sweet | sweeter | 很甜的 | 甜 | apple pear peach orange
long | longer | 长 | 长 | long-thing
long | longer | 很长的 | 长 | writing film
short | shorter | 短 | 短 | long-thing
thick | thicker | 很厚的 | 厚 | printed
thick | thicker | 厚 | 厚 | warm-clothing
thin | thinner | 很薄的 | 薄 | printed
heavy | heavier | 很重的 | 重 | luggage furniture
clean | cleaner | 干净的 | 干净 | clothing washable room
dirty | dirtier | 脏 | 脏 | clothing washable
comfortable | more comfortable | 舒服的 | 舒服 | footwear chair sofa bed hotel
warm | warmer | 暖和的 | 暖和 | warm-clothing
useful | more useful | 有用的 | 有用 | tool
cute | cuter | 可爱的 | 可爱 | pet panda monkey small
famous | more famous | 著名的 | 著名 | fame sight work song film
young | younger | 年轻的 | 年轻 | fame skilled school-staff
clever | cleverer | 聪明的 | 聪明 | pupil dog monkey
quiet | quieter | 安静的 | 安静 | park room hotel
""")

# English | Chinese | what it stands close to
COLOURS = _colours("""
red | 红 | clothing worn flower
white | 白 | clothing worn flower cat dog rabbit horse
black | 黑 | clothing worn cat dog horse
blue | 蓝 | clothing worn
green | 绿 | clothing worn
yellow | 黄 | clothing worn flower
""")

# Of people, as predicates: English | comparative | | Chinese | kind
TRAITS = _adjectives("""
tall | taller | | 高 | body
short | shorter | | 矮 | body
fat | fatter | | 胖 | body
thin | thinner | | 瘦 | body
clever | cleverer | | 聪明 | mind
strict | stricter | | 严格 | mind
friendly | friendlier | | 友好 | mind
hard-working | more hard-working | | 努力 | mind
lazy | lazier | | 懒 | mind
busy | busier | | 忙 | mood
tired | more tired | | 累 | mood
happy | happier | | 高兴 | mood
hungry | | | 饿 | need
thirsty | | | 渴 | need
nervous | more nervous | | 紧张 | mood
""")
