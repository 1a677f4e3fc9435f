"""Lists nouns, people, places and adjectives: one word per line, columns between bars.

Classes say which nouns a verb takes and which an adjective fits, so the noun decides the Chinese
of "play", "wear", "old" or "delicious". Written for this suite; no outside data.
"""

from __future__ import annotations

from tasks.grammar.words.entries import (
    read_adjectives,
    read_colours,
    read_masses,
    read_nouns,
    read_people,
    read_places,
)

# English singular/plural | Chinese | measure word | classes
NOUNS = read_nouns("""
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
MASSES = read_masses("""
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
PEOPLE = read_nouns("""
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

# People whom one has: English | Chinese | measure word | classes
RELATIONS = read_nouns("""
friend | 朋友 | 个 | relation
classmate | 同学 | 个 | relation
colleague | 同事 | 个 | relation
neighbour | 邻居 | 个 | relation
""")
KIN = read_people("""
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

# Ages in years, where they are not 10 to 60
AGES = {
    **dict.fromkeys(("grandfather", "grandmother"), (60, 95)),
    **dict.fromkeys(("father", "mother", "uncle", "aunt"), (32, 65)),
    **dict.fromkeys(("son", "daughter"), (3, 30)),
}
NAMES = read_people("""
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

# key | where | where to | Chinese | Chinese, inside it
PLACES = read_places("""
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
ADJECTIVES = read_adjectives("""
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
COLOURS = read_colours("""
red | 红 | clothing worn flower
white | 白 | clothing worn flower cat dog rabbit horse
black | 黑 | clothing worn cat dog horse
blue | 蓝 | clothing worn
green | 绿 | clothing worn
yellow | 黄 | clothing worn flower
""")

# Qualities of people, as predicates: English | comparative | | Chinese | kind
TRAITS = read_adjectives("""
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
